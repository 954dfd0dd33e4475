//! Where a request goes: its URL and its query.

use std::borrow::Cow;

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{ParseError, Url, form_urlencoded};

use crate::wire::python::Value;

/// The most characters that httpx allows in a URL or a part of one.
const MAX_CHARS: usize = 65_536;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A URL or a query that no request can be made of; in httpx's words, but for
/// [`Query`](TargetError::Query), [`Backslash`](TargetError::Backslash) and
/// [`Other`](TargetError::Other).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("Invalid type for url.  Expected str or httpx.URL, got <class '{class}'>: {url}")]
    Type { class: &'static str, url: String },
    #[error("URL too long")]
    TooLong,
    #[error("Invalid non-printable ASCII character in URL, {character} at position {position}.")]
    NotPrintable { character: String, position: usize },
    #[error("Request URL is missing an 'http://' or 'https://' protocol.")]
    NoScheme,
    #[error("Request URL has an unsupported protocol '{0}://'.")]
    Scheme(String),
    #[error("Invalid port: {0}")]
    Port(String),
    #[error("Invalid IPv4 address: {0}")]
    Ipv4(String),
    #[error("Invalid IPv6 address: {0}")]
    Ipv6(String),
    #[error("Invalid IDNA hostname: {0}")]
    Idna(String),
    #[error("Invalid URL: the host has a backslash in it")]
    Backslash,
    #[error("Invalid URL: {0}")]
    Other(ParseError),
    #[error("URL component 'query' too long")]
    QueryTooLong,
    #[error("The data of a GET request must be a dict, a list of pairs or a string, got {0}")]
    Query(String),
}

/// The URL of a template's `url`, without a fragment.
pub(super) fn parse(url: &Value) -> Result<Url, TargetError> {
    let Value::Str(text) = url else {
        return Err(TargetError::Type { class: url.type_name(), url: url.to_string() });
    };
    check_characters(text)?;
    let parts = Parts::split(text)?;
    Url::parse(&parts.normal_form()).map_err(|error| match error {
        ParseError::InvalidPort => TargetError::Port(quoted(parts.port)),
        ParseError::InvalidIpv4Address => TargetError::Ipv4(quoted(parts.host)),
        ParseError::InvalidIpv6Address => TargetError::Ipv6(quoted(parts.host)),
        ParseError::IdnaError => TargetError::Idna(quoted(parts.host)),
        other => TargetError::Other(other),
    })
}

/// Puts the `data` of a GET into the query, as httpx does with `params`: `None`
/// leaves the URL's own query, anything else takes its place, and what is
/// empty takes it away.
pub(super) fn set_query(url: &mut Url, data: &Value) -> Result<(), TargetError> {
    if *data == Value::None {
        return Ok(());
    }
    let params = params(data)?;
    let query: Vec<String> = params
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
        .map(|(key, value)| format!("{}={}", encoded(key), encoded(value)))
        .collect();
    let query = query.join("&");
    if query.len() > MAX_CHARS {
        return Err(TargetError::QueryTooLong);
    }
    // a key with an empty list leaves nothing but the question mark
    url.set_query((!params.is_empty()).then_some(query.as_str()));
    Ok(())
}

fn check_characters(text: &str) -> Result<(), TargetError> {
    if text.chars().count() > MAX_CHARS {
        return Err(TargetError::TooLong);
    }
    match text.chars().enumerate().find(|(_, c)| c.is_ascii_control()) {
        None => Ok(()),
        Some((position, c)) => Err(TargetError::NotPrintable {
            character: quoted(c.encode_utf8(&mut [0; 4])),
            position,
        }),
    }
}

/// A URL cut at its delimiters, by RFC 3986.
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, TargetError> {
        let (scheme, rest) = text
            .split_once(':')
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or(TargetError::NoScheme)?;
        let rest = rest.strip_prefix("//").ok_or(TargetError::NoScheme)?;
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_authority(authority);
        if host.is_empty() {
            return Err(TargetError::NoScheme);
        }
        // to httpx a part of the host, to others the end of it
        if authority.contains('\\') {
            return Err(TargetError::Backslash);
        }
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(TargetError::Scheme(scheme.to_ascii_lowercase()));
        }
        Ok(Self { scheme, authority, host, port, path, query })
    }

    /// What `url` reads as httpx does: it would go on to trim blanks, to take a
    /// backslash for a slash, and to end `/a/.` with a slash.
    fn normal_form(&self) -> String {
        let path = without_dots(self.path).replace('\\', "%5C").replace(' ', "%20");
        let query =
            self.query.map_or(String::new(), |query| format!("?{}", query.replace(' ', "%20")));
        format!("{}://{}{path}{query}", self.scheme, self.authority)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
}

/// The host, with its brackets if it has any, and the port.
fn split_authority(authority: &str) -> (&str, &str) {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, after)| after);
    let end = match host_and_port.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host_and_port.find(':').unwrap_or(host_and_port.len()),
    };
    let (host, port) = host_and_port.split_at(end);
    (host, port.strip_prefix(':').unwrap_or(port))
}

fn without_dots(path: &str) -> Cow<'_, str> {
    if !path.split('/').any(|part| part == "." || part == "..") {
        return Cow::Borrowed(path);
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.is_empty() || parts == [""] => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Cow::Owned(parts.join("/"))
}

/// Keys in the order in which they come first, each with all its values.
fn params(data: &Value) -> Result<IndexMap<String, Vec<String>>, TargetError> {
    let mut params: IndexMap<String, Vec<String>> = IndexMap::new();
    match data {
        data if !data.is_truthy() => {}
        Value::Str(text) => {
            for (key, value) in form_urlencoded::parse(text.as_bytes()) {
                params.entry(key.into_owned()).or_default().push(value.into_owned());
            }
        }
        Value::Dict(items) => {
            for (key, value) in items {
                let values = match value {
                    Value::List(values) => values.iter().map(param).collect(),
                    value => vec![param(value)],
                };
                params.insert(key.clone(), values);
            }
        }
        Value::List(items) => {
            for item in items {
                let Value::List(pair) = item else {
                    return Err(query_error(data));
                };
                let [key, value] = pair.as_slice() else {
                    return Err(query_error(data));
                };
                params.entry(key.to_string()).or_default().push(param(value));
            }
        }
        _ => return Err(query_error(data)),
    }
    Ok(params)
}

fn query_error(data: &Value) -> TargetError {
    TargetError::Query(format!("{}: {data}", data.type_name()))
}

fn param(value: &Value) -> String {
    match value {
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::None => String::new(),
        other => other.to_string(),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string().replace("%20", "+")
}

fn quoted(text: &str) -> String {
    Value::from(text).repr().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The request's target on the wire: path and query.
    fn target(url: &Url) -> &str {
        &url[url::Position::BeforePath..]
    }

    #[test]
    fn urls_are_encoded_as_by_httpx() {
        for (url, path) in [
            ("http://h", "/"),
            ("HTTP://h:80/x#frag", "/x"),
            ("http://h?", "/?"),
            ("http://h?#x", "/?"),
            ("http://h/?a=b?c=d", "/?a=b?c=d"),
            ("http://h/a b/é?x=1 2", "/a%20b/%C3%A9?x=1%202"),
            ("http://h/a/./b/../c/.", "/a/c"),
            ("http://h/a/../json/./x//y/..", "/json/x/"),
            ("http://h/../..", "/"),
            ("http://h//x//y", "//x//y"),
            ("http://h/%zz/%2f%", "/%zz/%2f%"),
            ("http://h/a;b=c,d:e@f!$&'()*+=~^|[]", "/a;b=c,d:e@f!$&'()*+=~^|[]"),
            ("http://h/\"<>`{}", "/%22%3C%3E%60%7B%7D"),
            ("http://h/?\"<>`{}\\^|[]+%", "/?%22%3C%3E`{}\\^|[]+%"),
            ("http://h/x ", "/x%20"),
            ("http://h ", "/"),
            // the two that differ: httpx leaves both as they are
            ("http://h/a\\b", "/a%5Cb"),
            ("http://h/?it's", "/?it%27s"),
        ] {
            let parsed = parse(&Value::from(url)).unwrap();
            assert_eq!(target(&parsed), path, "{url}");
        }
    }

    #[test]
    fn bad_urls_are_refused_in_httpxs_words() {
        let missing = "Request URL is missing an 'http://' or 'https://' protocol.";
        for (url, text) in [
            ("", missing),
            ("foo", missing),
            ("//h/x", missing),
            ("http:///x", missing),
            ("http://", missing),
            ("http:/x", missing),
            ("http:x", missing),
            ("http://user:pass@", missing),
            ("  http://h", missing),
            ("1http://x", missing),
            ("mailto:x@y", missing),
            ("ftp://x/", "Request URL has an unsupported protocol 'ftp://'."),
            ("HTTP+unix://x/", "Request URL has an unsupported protocol 'http+unix://'."),
            ("http://x:abc/", "Invalid port: 'abc'"),
            ("http://h:1:/", "Invalid port: '1:'"),
            ("http://1.2.3.400/", "Invalid IPv4 address: '1.2.3.400'"),
            ("http://[zz]/", "Invalid IPv6 address: '[zz]'"),
            ("http://x/\n", "Invalid non-printable ASCII character in URL, '\\n' at position 9."),
            ("é\u{7f}", "Invalid non-printable ASCII character in URL, '\\x7f' at position 1."),
            ("http://a b/", "Invalid IDNA hostname: 'a b'"),
            ("http://good.example\\@bad.example/", "Invalid URL: the host has a backslash in it"),
        ] {
            let error = parse(&Value::from(url)).unwrap_err();
            assert_eq!(error.to_string(), text, "{url}");
        }
        let long = format!("http://h/{}", "a".repeat(MAX_CHARS));
        assert_eq!(parse(&Value::from(long)), Err(TargetError::TooLong));
    }

    #[test]
    fn a_url_is_a_string() {
        for (url, text) in [
            (Value::None, "<class 'NoneType'>: None"),
            (Value::Float(5.0), "<class 'float'>: 5.0"),
            (Value::Bytes(b"aGk=".to_vec()), "<class 'bytes'>: b'aGk='"),
        ] {
            assert_eq!(
                parse(&url).unwrap_err().to_string(),
                format!("Invalid type for url.  Expected str or httpx.URL, got {text}")
            );
        }
    }

    #[test]
    fn data_becomes_the_query_as_in_httpx() {
        for (data, path) in [
            (json!(null), "/a?x=1"),
            (json!({}), "/a"),
            (json!(""), "/a"),
            (json!([]), "/a"),
            (json!(0), "/a"),
            (json!({"e": []}), "/a?"),
            (
                json!({"k": ["1", 2, true, null, 1.5], "n": null, "d": {"x": [1.0]}}),
                "/a?k=1&k=2&k=true&k=&k=1.5&n=&d=%7B%27x%27%3A+%5B1.0%5D%7D",
            ),
            (json!({"s": "a b~*-._+é'/", "e é": ""}), "/a?s=a+b~%2A-._%2B%C3%A9%27%2F&e+%C3%A9="),
            (
                json!("a=1&b=x y&b=2&c&=3&a%20b=%C3%A9&d=a+b;e=5"),
                "/a?a=1&b=x+y&b=2&c=&=3&a+b=%C3%A9&d=a+b%3Be%3D5",
            ),
            (json!("&&"), "/a"),
            (json!([["ab", "cd"], ["z", ["q"]], ["ab", 5.0]]), "/a?ab=cd&ab=5.0&z=%5B%27q%27%5D"),
        ] {
            let mut url = Url::parse("http://h/a?x=1").unwrap();
            set_query(&mut url, &Value::from(data.clone())).unwrap();
            assert_eq!(target(&url), path, "{data}");
        }
    }

    #[test]
    fn other_data_is_no_query() {
        let mut url = Url::parse("http://h/a?x=1").unwrap();
        for (data, got) in [
            (json!(5.0), "float: 5.0"),
            (json!(true), "bool: True"),
            (json!(["ab"]), "list: ['ab']"),
            (json!([["a", 1, 2]]), "list: [['a', 1, 2]]"),
        ] {
            let error = set_query(&mut url, &Value::from(data)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "The data of a GET request must be a dict, a list of pairs or a string, \
                     got {got}"
                )
            );
        }
        let long = Value::from("x".repeat(MAX_CHARS));
        assert_eq!(set_query(&mut url, &long), Err(TargetError::QueryTooLong));
    }
}
