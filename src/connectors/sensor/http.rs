//! `HttpSensor`: waits until a web server answers as it is to.

use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    OWN_MODULE,
    file::Place,
    given::Given,
    store::{Page, Web},
};
use crate::connector::{ConnectorError, Sensor};

/// Input `url`. What the answer must be is in `sensor_config`.
pub(super) struct HttpSensor {
    web: Web,
}

/// What an answer must be: all of what is set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Condition {
    /// Its status. Numbers of a `sensor_config` are floats.
    status: f64,
    /// A header that it has, and if `value` is set, with this value.
    header: Option<String>,
    value: Option<String>,
    /// Where in its JSON to look: keys and places in lists, with dots between
    /// them. Unless `equals` is set, what is there must be true for Python.
    json: Option<String>,
    equals: Option<Value>,
}

impl Default for Condition {
    fn default() -> Self {
        let none = (None, None, None, None);
        let (header, value, json, equals) = none;
        Self { status: 200.0, header, value, json, equals }
    }
}

impl HttpSensor {
    pub(super) fn new(web: Web) -> Self {
        Self { web }
    }
}

impl Sensor for HttpSensor {
    type Inputs = (Url, Condition);

    fn module(&self) -> &str {
        OWN_MODULE
    }

    fn name(&self) -> &str {
        "HttpSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        config: Option<&Value>,
    ) -> Result<Self::Inputs, ConnectorError> {
        let given = Given::new(self.name(), inputs, &["url"])?;
        let Place::Web(url) = Place::parse(self.name(), given.text("url")?)? else {
            return Err(given.wrong("url", "it must begin with http:// or https://"));
        };
        let condition: Condition = match config {
            Some(config) => serde_json::from_value(config.clone()).map_err(|error| {
                ConnectorError::invalid(format!("HttpSensor's sensor_config is wrong: {error}"))
            })?,
            None => Condition::default(),
        };
        condition.check()?;
        Ok((url, condition))
    }

    async fn poke(&self, (url, condition): &Self::Inputs) -> Result<bool, ConnectorError> {
        let page = self.web.get(url, condition.json.is_some()).await?;
        Ok(condition.holds(&page))
    }
}

impl Condition {
    /// Refuses what no answer could ever be.
    fn check(&self) -> Result<(), ConnectorError> {
        let wrong = |reason: &str| Err(ConnectorError::invalid(format!("HttpSensor: {reason}")));
        let status = self.status as u16;
        if f64::from(status) != self.status || !(200..500).contains(&status) || status == 401 {
            return wrong("status is a number from 200 to 499, and not 401");
        }
        if self.value.is_some() && self.header.is_none() {
            return wrong("value is that of a header, and header is not set");
        }
        if self.equals.is_some() && self.json.is_none() {
            return wrong("equals is what is to be found in the JSON, and json is not set");
        }
        Ok(())
    }

    fn holds(&self, page: &Page) -> bool {
        page.status == StatusCode::from_u16(self.status as u16).unwrap_or_default()
            && self.header.as_ref().is_none_or(|name| self.has_header(page, name))
            && self.json.as_ref().is_none_or(|path| self.has_json(page, path))
    }

    fn has_header(&self, page: &Page, name: &str) -> bool {
        let mut values = page.headers.get_all(name).iter();
        values.any(|value| match &self.value {
            Some(expected) => value.as_bytes() == expected.as_bytes(),
            None => true,
        })
    }

    fn has_json(&self, page: &Page, path: &str) -> bool {
        let Ok(document) = serde_json::from_slice::<Value>(&page.body) else { return false };
        let mut keys = path.split('.').filter(|key| !key.is_empty());
        let found = keys.try_fold(&document, |inside, key| match inside {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        });
        match (&self.equals, found) {
            (_, None) => false,
            (Some(expected), Some(found)) => is_equal(expected, found),
            (None, Some(found)) => is_truthy(found),
        }
    }
}

/// Equal for Python: 1 and 1.0 are.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn page(status: u16, body: &Value) -> Page {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-state", "done".parse().expect("a value"));
        Page {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: Arc::new(headers),
            body: body.to_string().into(),
        }
    }

    fn condition(config: Value) -> Condition {
        let condition: Condition = serde_json::from_value(config).expect("a condition");
        condition.check().expect("possible");
        condition
    }

    #[test]
    fn all_of_what_is_set_must_hold() {
        let answer = page(200, &json!({"job": {"runs": [{"state": "done", "left": 0}]}}));
        for (config, holds) in [
            (json!({}), true),
            (json!({"status": 200.0}), true),
            (json!({"status": 204.0}), false),
            (json!({"header": "X-State"}), true),
            (json!({"header": "X-State", "value": "done"}), true),
            (json!({"header": "X-State", "value": "late"}), false),
            (json!({"header": "X-Other"}), false),
            (json!({"json": "job.runs.0.state", "equals": "done"}), true),
            (json!({"json": "job.runs.0.state", "equals": "late"}), false),
            (json!({"json": "job.runs.0.left", "equals": 0.0}), true),
            (json!({"json": "job.runs.0.left"}), false),
            (json!({"json": "job.runs"}), true),
            (json!({"json": "job.runs.1.state", "equals": "done"}), false),
        ] {
            assert_eq!(condition(config.clone()).holds(&answer), holds, "{config}");
        }
    }

    #[test]
    fn what_no_answer_can_be_is_refused() {
        for config in [json!({"status": 503.0}), json!({"value": "x"}), json!({"equals": 1.0})] {
            let condition: Condition = serde_json::from_value(config).expect("its types");
            assert!(condition.check().is_err(), "{condition:?}");
        }
    }
}
