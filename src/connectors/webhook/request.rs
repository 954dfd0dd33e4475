//! What a template asks for: the request to be sent, and what to tell of it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use reqwest::{
    Method, Request, Url,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, Entry,
        HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, USER_AGENT,
    },
};

use super::{
    headers::{self, HeadersError},
    target::{self, TargetError},
};
use crate::wire::python::{Dict, JsonError, Value, dumps_compact};

/// A template, filled in, that no request can be made of. Where httpx has
/// words for it, these are they.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Body(#[from] JsonError),
    #[error(transparent)]
    Headers(#[from] HeadersError),
    #[error("timeout_sec must be a number of seconds, got {0}")]
    Timeout(String),
}

/// A webhook task, filled in.
#[derive(Debug)]
pub(super) struct Webhook {
    url: Value,
    method: Value,
    headers: Value,
    data: Value,
    show_data: bool,
    show_url: bool,
    timeout: Option<Value>,
}

impl Webhook {
    /// Takes the fields out of a template's `custom`, whatever they are.
    pub(super) fn new(mut custom: Dict) -> Self {
        let mut field = |name: &str| custom.swap_remove(name);
        Self {
            url: field("url").unwrap_or(Value::None),
            method: field("method").unwrap_or(Value::None),
            headers: field("headers").unwrap_or(Value::None),
            data: field("data").unwrap_or(Value::None),
            show_data: field("show_data").is_some_and(|value| value.is_truthy()),
            show_url: field("show_url").is_some_and(|value| value.is_truthy()),
            timeout: field("timeout_sec"),
        }
    }

    /// The request, as httpx would send it but for the user agent.
    ///
    /// Its framing (`Content-Length`, `Transfer-Encoding`) is the client's: a
    /// template's own can only be wrong.
    pub(super) fn request(&self, user_agent: &HeaderValue) -> Result<Request, RequestError> {
        let mut url = target::parse(&self.url)?;
        let mut headers = headers::parse(&self.headers)?;
        let (method, body) = if self.is_get() {
            target::set_query(&mut url, &self.data)?;
            (Method::GET, None)
        } else {
            (Method::POST, self.json()?)
        };

        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        if let Some(authorization) = take_userinfo(&mut url) {
            headers.insert(AUTHORIZATION, authorization);
        }
        let defaults = [
            (ACCEPT, HeaderValue::from_static("*/*")),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate")),
            (CONNECTION, HeaderValue::from_static("keep-alive")),
            (USER_AGENT, user_agent.clone()),
        ];
        for (name, value) in defaults {
            set_default(&mut headers, name, value);
        }
        if body.is_some() {
            let json = HeaderValue::from_static("application/json");
            set_default(&mut headers, CONTENT_TYPE, json);
        } else if method == Method::POST {
            // the client leaves it out, and some servers answer 411
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }

        let mut request = Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = body.map(Into::into);
        Ok(request)
    }

    /// How long each step of the exchange may take: `None` is without limit,
    /// and zero is over before it begins.
    pub(super) fn timeout(&self, default: Duration) -> Result<Option<Duration>, RequestError> {
        let seconds = match &self.timeout {
            None => return Ok(Some(default)),
            Some(Value::None) => return Ok(None),
            Some(Value::Bool(value)) => f64::from(u8::from(*value)),
            Some(Value::Int(value)) => *value as f64,
            Some(Value::Float(value)) if !value.is_nan() => *value,
            Some(other) => {
                let got = format!("{}: {}", other.type_name(), other.repr());
                return Err(RequestError::Timeout(got));
            }
        };
        // what is too long for a duration is no limit
        Ok(Duration::try_from_secs_f64(seconds.max(0.0)).ok())
    }

    /// The output `info`.
    pub(super) fn info(self, status: u16, text: String) -> Value {
        let mut info = Dict::from([
            ("status_code".to_owned(), Value::Int(status.into())),
            ("response_data".to_owned(), Value::Str(text)),
        ]);
        if self.show_data {
            info.insert("input_data".to_owned(), self.data);
        }
        if self.show_url {
            info.insert("url".to_owned(), self.url);
        }
        Value::Dict(info)
    }

    /// Everything that is no GET is a POST.
    fn is_get(&self) -> bool {
        self.method.to_string().to_uppercase() == "GET"
    }

    fn json(&self) -> Result<Option<String>, JsonError> {
        match &self.data {
            Value::None => Ok(None),
            data => dumps_compact(data).map(Some),
        }
    }
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if let Entry::Vacant(entry) = headers.entry(name) {
        entry.insert(value);
    }
}

/// Basic credentials, if the URL has any, which then has none.
fn take_userinfo(url: &mut Url) -> Option<HeaderValue> {
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    // these fail for URLs that have no host; ours has
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if credentials == b":" {
        return None;
    }
    let value = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook(json: serde_json::Value) -> Webhook {
        match Value::from(json) {
            Value::Dict(custom) => Webhook::new(custom),
            other => panic!("{other:?} is no dict"),
        }
    }

    fn request(json: serde_json::Value) -> Result<Request, RequestError> {
        webhook(json).request(&HeaderValue::from_static("flightdeck/0"))
    }

    fn body(request: &Request) -> Option<&str> {
        let bytes = request.body().and_then(reqwest::Body::as_bytes)?;
        std::str::from_utf8(bytes).ok()
    }

    #[test]
    fn methods() {
        for (method, expected) in [
            (json!("GET"), Method::GET),
            (json!("get"), Method::GET),
            (json!("POST"), Method::POST),
            (json!("PUT"), Method::POST),
            (json!(" GET"), Method::POST),
            (json!(null), Method::POST),
            (json!(["GET"]), Method::POST),
        ] {
            let request = request(json!({"url": "http://h/", "method": method})).unwrap();
            assert_eq!(request.method(), expected, "{method}");
        }
    }

    #[test]
    fn bodies() {
        for (data, expected) in [
            (json!({}), Some("{}")),
            (json!({"a": [1, 5.0, "é\n"]}), Some("{\"a\":[1,5.0,\"é\\n\"]}")),
            (json!("x"), Some("\"x\"")),
            (json!(null), None),
        ] {
            let request = request(json!({"url": "http://h/", "data": data})).unwrap();
            assert_eq!(body(&request), expected);
            let content_type = expected.map(|_| HeaderValue::from_static("application/json"));
            assert_eq!(request.headers().get(CONTENT_TYPE), content_type.as_ref());
        }
    }

    #[test]
    fn a_templates_headers_replace_the_defaults() {
        let request = request(json!({
            "url": "http://h/",
            "data": {},
            "headers": {
                "content-type": "text/x", "USER-AGENT": "me", "Connection": "close",
                "X-A": "1", "x-a": "2", "Empty": "", "Content-Length": "99",
            },
        }))
        .unwrap();
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        assert_eq!(
            headers,
            [
                "accept-encoding: gzip, deflate",
                "accept: */*",
                "connection: close",
                "content-type: text/x",
                "empty: ",
                "user-agent: me",
                "x-a: 1",
                "x-a: 2",
            ]
        );
    }

    #[test]
    fn userinfo_is_basic_authorization() {
        for (url, credentials) in [
            ("http://us%20er:p%40ss@h/x", "us er:p@ss"),
            ("http://user@h/x", "user:"),
            ("http://:pw@h/x", ":pw"),
        ] {
            let request = request(json!({
                "url": url, "headers": {"Authorization": "Bearer x"},
            }))
            .unwrap();
            let expected = format!("Basic {}", BASE64_STANDARD.encode(credentials));
            assert_eq!(request.headers()[AUTHORIZATION], expected);
            assert_eq!(request.url().as_str(), "http://h/x");
        }
        let plain = request(json!({"url": "http://@h/x"})).unwrap();
        assert_eq!(plain.headers().get(AUTHORIZATION), None);
    }

    #[test]
    fn timeouts() {
        let default = Duration::from_secs(10);
        let timeout = |value| webhook(json!({"timeout_sec": value})).timeout(default);
        assert_eq!(webhook(json!({})).timeout(default), Ok(Some(default)));
        assert_eq!(timeout(json!(null)), Ok(None));
        assert_eq!(timeout(json!(1e300)), Ok(None));
        assert_eq!(timeout(json!(0.25)), Ok(Some(Duration::from_millis(250))));
        assert_eq!(timeout(json!(true)), Ok(Some(Duration::from_secs(1))));
        assert_eq!(timeout(json!(-1)), Ok(Some(Duration::ZERO)));
        assert_eq!(
            timeout(json!("5")).unwrap_err().to_string(),
            "timeout_sec must be a number of seconds, got str: '5'"
        );
    }

    #[test]
    fn info_tells_what_it_is_asked_to() {
        let info = |show: serde_json::Value| {
            webhook(json!({
                "url": "http://h", "data": {"a": 1}, "show_data": show, "show_url": show,
            }))
            .info(200, "ok".to_owned())
            .to_string()
        };
        let short = "{'status_code': 200, 'response_data': 'ok'}";
        let long = "{'status_code': 200, 'response_data': 'ok', 'input_data': {'a': 1}, \
                    'url': 'http://h'}";
        assert_eq!(info(json!(false)), short);
        assert_eq!(info(json!("")), short);
        assert_eq!(info(json!(1.0)), long);
        assert_eq!(info(json!("false")), long);
    }
}
