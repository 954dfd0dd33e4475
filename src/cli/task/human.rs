//! Replies as text for people.

use std::fmt::Write;

use jiff::Timestamp;
use prost_types::Struct;

use super::{
    json::{self, names},
    phase,
};
use crate::wire::{
    flyteidl::{
        admin::{LogLine, Resource},
        core::{ExecutionMetricResult, Literal, TaskLog, literal, scalar},
    },
    literal::{self as literals, struct_to_dict},
    python::{self, Value},
};

/// A resource, a field a line.
pub(super) fn resource(resource: &Resource) -> String {
    let mut out = String::new();
    field(&mut out, "phase", phase::of(resource).as_str_name());
    if !resource.message.is_empty() {
        field(&mut out, "message", &printable(&resource.message));
    }
    if let Some(error) = &resource.agent_error {
        let kind = error.kind().as_str_name();
        let origin = error.origin().as_str_name();
        let code = printable(&error.code);
        field(&mut out, "error", &format!("{code} ({kind}, {origin})"));
    }
    for link in &resource.log_links {
        field(&mut out, "link", &self::link(link));
    }
    if let Some(outputs) = &resource.outputs {
        let mut outputs: Vec<_> = outputs.literals.iter().collect();
        outputs.sort_by_key(|(name, _)| *name);
        for (name, value) in outputs {
            let text = format!("{} = {}", printable(name), self::literal(value));
            field(&mut out, "output", &text);
        }
    }
    if let Some(info) = &resource.custom_info {
        field(&mut out, "info", &structure(info));
    }
    out.truncate(out.trim_end().len());
    out
}

/// A line of a log behind its time, in RFC 3339.
pub(super) fn log_line(line: &LogLine) -> String {
    let message = printable(&line.message);
    let time = line.timestamp.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    match time {
        Some(time) => format!("{time:.3} {message}"),
        None => message,
    }
}

/// A metric and its points.
pub(super) fn metric(metric: &ExecutionMetricResult) -> String {
    let data = metric.data.as_ref().map_or_else(String::new, structure);
    format!("{}: {data}", printable(&metric.metric))
}

/// A link: its name and where it leads.
pub(super) fn link(link: &TaskLog) -> String {
    match link.name.as_str() {
        "" => printable(&link.uri),
        name => format!("{}: {}", printable(name), printable(&link.uri)),
    }
}

/// Text from elsewhere without what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Writes a name and what belongs to it, further lines of it indented.
fn field(out: &mut String, name: &str, text: &str) {
    let text = text.trim_end().replace('\n', "\n  ");
    // Writing into a string does not fail.
    let _ = writeln!(out, "{name}: {text}");
}

/// A literal's value as JSON; as protobuf's JSON if it has no plain value.
fn literal(literal: &Literal) -> String {
    let plain = value(literal).and_then(|value| text(&value));
    plain
        .or_else(|| json::text(names::LITERAL, literal).ok())
        .map_or_else(|| "?".to_owned(), |text| printable(&text))
}

/// The plain value. Other than for a connector, msgpack is what it holds and
/// not the text of it, also inside lists and maps.
fn value(literal: &Literal) -> Option<Value> {
    match &literal.value {
        Some(literal::Value::Collection(items)) => {
            let items: Option<Vec<_>> = items.literals.iter().map(value).collect();
            items.map(Value::List)
        }
        Some(literal::Value::Map(map)) => {
            let mut entries: Vec<_> = map.literals.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries.into_iter();
            let entries: Option<_> = entries.map(|(k, v)| Some((k.clone(), value(v)?))).collect();
            entries.map(Value::Dict)
        }
        _ => match (literals::to_value(literal).ok()?, is_binary(literal)) {
            (Value::Str(json), true) => serde_json::from_str::<serde_json::Value>(&json)
                .map_or(Some(Value::Str(json)), |json| Some(Value::from(json))),
            (plain, _) => Some(plain),
        },
    }
}

fn is_binary(literal: &Literal) -> bool {
    match &literal.value {
        Some(literal::Value::Scalar(scalar)) => {
            matches!(scalar.value, Some(scalar::Value::Binary(_)))
        }
        _ => false,
    }
}

fn structure(structure: &Struct) -> String {
    let plain = struct_to_dict(structure).ok();
    plain
        .and_then(|dict| text(&Value::Dict(dict)))
        .map_or_else(|| format!("{structure:?}"), |text| printable(&text))
}

/// JSON on one line; bytes and numbers that JSON lacks as Python writes them.
fn text(value: &Value) -> Option<String> {
    python::dumps_compact(value).or_else(|_| python::dumps(value)).ok()
}
