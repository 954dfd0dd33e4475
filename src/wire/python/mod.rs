//! How Python writes values.
//!
//! flytekit's users see Python's text in many places: a number put into a
//! template, a dict in an error message, the JSON of a job's meta. This module
//! writes the same text, checked against CPython 3.11.

mod json;
mod repr;
mod value;

pub use json::{JsonError, dumps, dumps_compact, to_json};
pub use repr::{Repr, float_repr};
pub use value::{Dict, Value};
