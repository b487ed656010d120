//! HTTP/1.1 served as Go's `net/http` serves it: what it accepts, what it refuses and in which bytes it answers. A
//! general HTTP server would be stricter here and laxer there, and its refusals would not be the agent's.

mod body;
mod cancel;
mod connection;
mod request;
mod response;
mod route;
mod target;

pub(crate) use cancel::Cancel;
pub(crate) use connection::{Handler, Server, serve};
pub(crate) use request::Request;
pub(crate) use response::{Payload, Response};
pub(crate) use route::Routes;
