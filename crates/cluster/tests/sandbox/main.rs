//! The sandbox: true addresses, true paths, nothing left behind.

mod clock;
mod faults;
mod places;
mod real;
mod tokens;
mod world;
