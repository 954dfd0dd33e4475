//! Bytes that come from elsewhere: whatever they are, nothing panics, and what
//! is read is written back as it was.
//!
//! Each target takes bytes. `x_corpus` feeds it the files of its corpus (and of
//! its `crashes`) as they are and then random bytes, `x_mutated` feeds it the
//! corpus changed at random; each goes on for a second. `README.md` says how to
//! go on for longer.

mod corpus;
mod service;

// `resource_meta`: the handle, and the metas of the connectors inside of it.
mod handle;
mod meta;

// A Create: the template of a webhook, the inputs of a sensor.
mod sensor;
mod template;

// The configuration: TOML and environment.
mod settings;
