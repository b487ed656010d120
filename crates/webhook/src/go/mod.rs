//! Kubernetes objects as the original's Go types see them.
//!
//! The original decodes a pod into Go structs and writes its containers back from them, so its patch carries what those
//! types keep: quantities in canonical form, no unknown fields, zero values gone or kept field by field. This module is
//! that round trip, driven by a table of the types (`types.txt`, k8s.io/api 0.36) instead of by generated code.

mod decode;
mod encode;
mod quantity;
mod scan;
mod schema;
mod text;
mod time;
mod value;
mod yaml;

pub(crate) use decode::{Keys, decode, decode_as};
pub(crate) use encode::encode;
pub(crate) use scan::check;
pub(crate) use schema::schema;
pub(crate) use text::{
    base, clean_join, dir, first_csv_record, is_json_buffer, parse_bool, parse_int,
    parse_int_any_base,
};
pub(crate) use value::Value;
pub(crate) use yaml::yaml_to_json;
