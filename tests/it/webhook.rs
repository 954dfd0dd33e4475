//! The webhook connector against a real HTTP server, down to the bytes.

mod server;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use flightdeck::config::Webhook as Settings;
use flightdeck::connector::{
    IdempotencyKey, Phase, Resource, SyncConnector, TaskCategory, TaskRequest,
};
use flightdeck::connectors::webhook::WebhookConnector;
use flightdeck::wire::flyteidl::core::{
    Binary, Literal, LiteralMap, Scalar, TaskTemplate, literal::Value as LiteralValue,
    scalar::Value as ScalarValue,
};
use flightdeck::wire::literal;
use prost_types::{ListValue, Struct, value::Kind};
use serde_json::{Value, json};
use server::{Reply, Server, response};

fn connector(settings: Settings) -> WebhookConnector {
    WebhookConnector::new(&settings).unwrap()
}

fn proto(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(proto).collect() })
        }
        Value::Object(fields) => Kind::StructValue(Struct {
            fields: fields.into_iter().map(|(key, value)| (key, proto(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

/// A task whose `custom` is what flytekit's `WebhookTask` writes, with these
/// fields in place of its defaults.
fn task(fields: Value, inputs: HashMap<String, Literal>) -> TaskRequest {
    let mut custom = json!({
        "url": null, "method": "POST", "headers": {}, "data": {},
        "show_data": false, "show_url": false, "timeout_sec": 10,
    });
    for (key, value) in fields.as_object().unwrap() {
        custom[key] = value.clone();
    }
    let Some(Kind::StructValue(custom)) = proto(custom).kind else {
        panic!("no structure");
    };
    TaskRequest {
        template: TaskTemplate { custom: Some(custom), ..TaskTemplate::default() },
        inputs: Some(LiteralMap { literals: inputs }),
        output_prefix: String::new(),
        max_dataset_size_bytes: 0,
        metadata: None,
        idempotency_key: IdempotencyKey([0; 16]),
    }
}

async fn run(fields: Value) -> Resource {
    run_with(&connector(Settings::default()), fields).await
}

async fn run_with(connector: &WebhookConnector, fields: Value) -> Resource {
    let task = task(fields, HashMap::new());
    connector.r#do(&task).await.unwrap()
}

fn message(resource: &Resource) -> &str {
    resource.message.as_deref().unwrap()
}

/// The bytes of the output `info`, which must be all there is.
fn info(resource: &Resource) -> &[u8] {
    assert_eq!(
        (resource.phase, message(resource)),
        (Phase::Succeeded, "Webhook was successfully invoked!")
    );
    let outputs = &resource.outputs.as_ref().unwrap().literals;
    assert_eq!(outputs.len(), 1);
    let info = &outputs["info"];
    let Some(LiteralValue::Scalar(scalar)) = &info.value else {
        panic!("no scalar: {info:?}");
    };
    let Some(ScalarValue::Binary(binary)) = &scalar.value else {
        panic!("no binary: {info:?}");
    };
    assert_eq!(binary.tag, "msgpack");
    &binary.value
}

/// The output `info` as JSON.
fn info_json(resource: &Resource) -> Value {
    let info = &resource.outputs.as_ref().unwrap().literals["info"];
    serde_json::from_str(&literal::to_value(info).unwrap().to_string()).unwrap()
}

#[track_caller]
fn assert_failed(resource: &Resource, text: &str) {
    assert_eq!((resource.phase, message(resource)), (Phase::Failed, text));
    assert_eq!(resource.outputs, None);
}

#[test]
fn it_goes_by_flytekits_names() {
    let connector = connector(Settings::default());
    assert_eq!(connector.name(), "Webhook Connector");
    assert_eq!(connector.task_categories(), [TaskCategory::new("webhook", 0)]);
}

#[test]
fn a_user_agent_that_no_header_can_hold_is_refused() {
    let settings = Settings { user_agent: "a\nb".to_owned(), ..Settings::default() };
    let error = WebhookConnector::new(&settings).unwrap_err().to_string();
    assert!(error.contains("webhook.user_agent = \"a\\nb\""), "{error}");
}

#[tokio::test]
async fn a_post_is_the_one_that_httpx_sends() {
    let server = Server::answering(response("200 OK", &[], b"ok")).await;
    let resource = run(json!({
        "url": server.url(""),
        "headers": {"X-One": "1"},
        "data": {"q": "é", "n": [1, null, true]},
    }))
    .await;

    let request = server.only_request();
    assert_eq!(request.line(), "POST / HTTP/1.1");
    assert_eq!(
        request.headers(),
        [
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            "Content-Length: 30",
            "Content-Type: application/json",
            &format!("Host: {}", server.authority()),
            concat!("User-Agent: flightdeck/", env!("CARGO_PKG_VERSION")),
            "X-One: 1",
        ]
    );
    assert_eq!(request.body, "{\"n\":[1.0,null,true],\"q\":\"é\"}".as_bytes());
    // msgpack of {"status_code": 200, "response_data": "ok"}
    assert_eq!(info(&resource), b"\x82\xabstatus_code\xcc\xc8\xadresponse_data\xa2ok");
}

#[tokio::test]
async fn a_post_without_data_has_no_body() {
    let server = Server::answering(response("200 OK", &[], b"")).await;
    info(&run(json!({"url": server.url("/x"), "data": null})).await);
    let request = server.only_request();
    let headers = request.headers();
    assert!(headers.contains(&"Content-Length: 0"), "{headers:?}");
    assert!(!headers.iter().any(|header| header.starts_with("Content-Type")));
    assert_eq!(request.body, b"");
}

#[tokio::test]
async fn a_get_has_its_data_in_the_query() {
    let server = Server::answering(response("200 OK", &[], b"")).await;
    for (data, line) in [
        (json!({}), "GET /a HTTP/1.1"),
        (json!(null), "GET /a?x=1 HTTP/1.1"),
        (json!({"e": []}), "GET /a? HTTP/1.1"),
        (
            json!({"k": ["1", 2, true, null], "s": "a b~*/é'", "d": {"x": [1]}}),
            "GET /a?d=%7B%27x%27%3A+%5B1.0%5D%7D&k=1&k=2.0&k=true&k=&s=a+b~%2A%2F%C3%A9%27 HTTP/1.1",
        ),
    ] {
        let url = server.url("/a?x=1");
        info(&run(json!({"url": url, "method": "get", "data": data})).await);
        let request = server.only_request();
        assert_eq!(request.line(), line);
        let headers = request.headers();
        assert!(!headers.iter().any(|header| header.starts_with("Content-")));
    }
}

#[tokio::test]
async fn the_target_is_sent_as_it_is_written() {
    let server = Server::answering(response("200 OK", &[], b"")).await;
    for (path, target) in [
        ("", "/"),
        ("?", "/?"),
        ("#x", "/"),
        ("//x//y", "//x//y"),
        ("/a/./b/../c/.", "/a/c"),
        ("/%zz/%2f", "/%zz/%2f"),
        ("/a b/é?x=1 2", "/a%20b/%C3%A9?x=1%202"),
        ("/;,:@!$&'()*+=~^|[]-._", "/;,:@!$&'()*+=~^|[]-._"),
        ("/?a=b?c=d&`{}|^\\", "/?a=b?c=d&`{}|^\\"),
    ] {
        info(&run(json!({"url": server.url(path)})).await);
        assert_eq!(server.only_request().line(), format!("POST {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn inputs_fill_the_templates() {
    let server = Server::answering(response("200 OK", &[], b"done")).await;
    let literals = HashMap::from(
        [
            ("name", literal::string("a b/\"é\"")),
            ("id", literal::integer(7)),
            ("ratio", literal::float(2.0)),
            ("on", literal::boolean(true)),
            ("nothing", literal::none()),
            ("list", literal::collection(vec![literal::string("it's"), literal::integer(1)])),
            ("config", literal::from_json(&json!({"k": [1, 2.0]}))),
        ]
        .map(|(name, literal)| (name.to_owned(), literal)),
    );
    let task = task(
        json!({
            "url": server.url("/items/{inputs.id}/{inputs.name}"),
            "headers": {"X-On": "{inputs.on}!"},
            "data": {
                "whole": ["{inputs.id}", "{inputs.ratio}", "{inputs.on}", "{inputs.nothing}"],
                "text": "{inputs.id} {inputs.ratio} {inputs.on} {inputs.nothing} {inputs.list}",
                "config": "{inputs.config}",
                "{inputs.id}": "{id}",
            },
            "show_data": true,
            "show_url": true,
        }),
        literals,
    );
    let connector = connector(Settings::default());
    let resource = connector.r#do(&task).await.unwrap();

    let request = server.only_request();
    assert_eq!(request.line(), "POST /items/7/a%20b/%22%C3%A9%22 HTTP/1.1");
    assert!(request.headers().contains(&"X-On: True!"));
    let data = json!({
        "config": "{\"k\": [1, 2.0]}",
        "text": "7 2.0 True None [\"it's\", 1]",
        "whole": [7, 2.0, true, null],
        "{inputs.id}": "{id}",
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), data);
    assert_eq!(
        info_json(&resource),
        json!({
            "status_code": 200,
            "response_data": "done",
            "input_data": data,
            "url": server.url("/items/7/a b/\"é\""),
        })
    );
}

#[tokio::test]
async fn only_status_200_succeeds_and_redirects_are_not_followed() {
    for status in ["201 Created", "204 No Content", "404 Not Found", "500 Oops"] {
        let server = Server::answering(response(status, &[], b"")).await;
        let code = &status[..3];
        assert_failed(
            &run(json!({"url": server.url("/")})).await,
            &format!("Webhook failed with status code {code}, response: "),
        );
    }
    let moved = response("302 Found", &["Location: /elsewhere"], b"over there");
    let server = Server::answering(moved).await;
    assert_failed(
        &run(json!({"url": server.url("/")})).await,
        "Webhook failed with status code 302, response: over there",
    );
    assert_eq!(server.only_request().line(), "POST / HTTP/1.1");
}

#[tokio::test]
async fn nothing_is_sent_for_a_bad_template() {
    let server = Server::answering(response("200 OK", &[], b"")).await;
    let url = server.url("/");
    for (fields, text) in [
        (json!({"url": url, "unused": "{inputs.nope}"}), "Could not find the key nope in {}."),
        (json!({"url": "{outputs.url}"}), "Could not find the key outputs in {'inputs': {}}."),
        (
            json!({"url": null}),
            "Invalid type for url.  Expected str or httpx.URL, got <class 'NoneType'>: None",
        ),
        (
            json!({"url": "localhost/x"}),
            "Request URL is missing an 'http://' or 'https://' protocol.",
        ),
        (
            json!({"url": url, "headers": {"X": 1}}),
            "Header value must be str or bytes, not <class 'float'>",
        ),
        (
            json!({"url": url, "timeout_sec": "soon"}),
            "timeout_sec must be a number of seconds, got str: 'soon'",
        ),
    ] {
        assert_failed(&run(fields).await, text);
    }
    assert_eq!(server.requests(), []);
}

#[tokio::test]
async fn a_template_without_custom_or_inputs_fails() {
    let mut task = task(json!({}), HashMap::new());
    task.template.custom = None;
    task.inputs = None;
    let resource = connector(Settings::default()).r#do(&task).await.unwrap();
    assert_failed(
        &resource,
        "Invalid type for url.  Expected str or httpx.URL, got <class 'NoneType'>: None",
    );
}

#[tokio::test]
async fn an_input_that_cannot_be_read_fails_the_task() {
    let broken = Literal {
        value: Some(LiteralValue::Scalar(Box::new(Scalar {
            value: Some(ScalarValue::Binary(Binary {
                value: b"\x81".as_slice().into(),
                tag: "msgpack".to_owned(),
            })),
        }))),
        ..Literal::default()
    };
    let inputs = HashMap::from([("unused".to_owned(), broken)]);
    let task = task(json!({"url": "http://127.0.0.1:1/"}), inputs);
    let resource = connector(Settings::default()).r#do(&task).await.unwrap();
    assert_failed(&resource, "Unpack failed: incomplete input");
}

#[tokio::test]
async fn numbers_that_json_lacks_are_refused() {
    let inputs = HashMap::from([("x".to_owned(), literal::float(f64::NAN))]);
    let task = task(json!({"url": "http://127.0.0.1:1/", "data": ["{inputs.x}"]}), inputs);
    let resource = connector(Settings::default()).r#do(&task).await.unwrap();
    assert_failed(&resource, "Out of range float values are not JSON compliant");

    let mut nan = self::task(json!({}), HashMap::new());
    let number = prost_types::Value { kind: Some(Kind::NumberValue(f64::NAN)) };
    nan.template.custom = Some(Struct { fields: BTreeMap::from([("x".to_owned(), number)]) });
    let resource = connector(Settings::default()).r#do(&nan).await.unwrap();
    assert_failed(
        &resource,
        "Fail to serialize NaN for Value.number_value, which would parse as string_value",
    );
}

#[tokio::test]
async fn broken_exchanges_say_what_broke() {
    let refused = run(json!({"url": Server::nobody().await})).await;
    assert_eq!(refused.phase, Phase::Failed);
    let text = message(&refused);
    assert!(text.starts_with("All connection attempts failed: "), "{text}");
    assert!(text.contains("refused"), "{text}");

    let head = "HTTP/1.1 200 OK\r\n";
    for (reply, text) in [
        (String::new(), "Server disconnected without sending a response."),
        (
            format!("{head}Content-Length: 10\r\n\r\nabc"),
            "peer closed connection without sending complete message body \
             (received 3 bytes, expected 10)",
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            "peer closed connection without sending complete message body \
             (incomplete chunked read)",
        ),
    ] {
        let server = Server::start(move |_| Reply::Last(reply.clone().into())).await;
        assert_failed(&run(json!({"url": server.url("/")})).await, text);
    }

    let server = Server::start(|_| Reply::Last(b"220 this is SMTP\r\n\r\n".to_vec())).await;
    let resource = run(json!({"url": server.url("/")})).await;
    let text = message(&resource);
    assert!(text.starts_with("The HTTP exchange failed: "), "{text}");
    // nothing is sent twice
    server.only_request();
}

#[tokio::test]
async fn a_url_in_an_error_keeps_its_secrets() {
    let url = Server::nobody().await.replace("http://", "http://user:hunter2@");
    let resource = run(json!({"url": format!("{url}?token=hunter3")})).await;
    let text = message(&resource);
    assert!(!text.contains("hunter"), "{text}");
}

#[tokio::test]
async fn each_step_may_take_timeout_sec() {
    let silent = Server::start(|_| Reply::Held(Vec::new())).await;
    assert_failed(
        &run(json!({"url": silent.url("/"), "timeout_sec": 0.05})).await,
        "The webhook timed out: no response within 0.05 s (timeout_sec)",
    );

    let stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let stalled = Server::start(|_| Reply::Held(stalled.to_vec())).await;
    assert_failed(
        &run(json!({"url": stalled.url("/"), "timeout_sec": 0.5})).await,
        "The webhook timed out: no more of the response within 0.5 s (timeout_sec)",
    );

    let server = Server::answering(response("200 OK", &[], b"")).await;
    assert_failed(
        &run(json!({"url": server.url("/"), "timeout_sec": 0})).await,
        "The webhook timed out: no response within 0 s (timeout_sec)",
    );
    assert_eq!(server.requests(), []);
    info(&run(json!({"url": server.url("/"), "timeout_sec": null})).await);
}

#[tokio::test]
async fn the_text_is_read_by_encoding_and_charset() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all("zipped é".as_bytes()).unwrap();
    let zipped = encoder.finish().unwrap();
    for (headers, body, text) in [
        (["Content-Encoding: gzip"], zipped.as_slice(), "zipped é"),
        (["Content-Type: text/plain; charset=latin-1"], b"\xe9", "é"),
        (["Content-Type: text/html"], b"\xe9", "\u{fffd}"),
    ] {
        let server = Server::answering(response("200 OK", &headers, body)).await;
        let resource = run(json!({"url": server.url("/")})).await;
        assert_eq!(info_json(&resource)["response_data"], text);
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_cookies_are_not_kept() {
    let cookie = ["Set-Cookie: session=1; Path=/"];
    let server = Server::answering(response("200 OK", &cookie, b"ok")).await;
    let connector = connector(Settings::default());
    for _ in 0..3 {
        info(&run_with(&connector, json!({"url": server.url("/")})).await);
    }
    assert_eq!(server.connections(), 1);
    for request in server.requests() {
        assert!(!request.head.to_lowercase().contains("cookie"), "{}", request.head);
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_reply_fails_the_task() {
    let connector = connector(Settings {
        max_response_size: bytesize::ByteSize::b(1000),
        ..Settings::default()
    });
    let text = "The webhook answered with status code 200, but its response is larger than \
                1000 bytes, the most that this service takes (webhook.max_response_size)";
    // too long as it is, and too long only as UTF-8
    for body in [vec![b'x'; 1001], vec![0xff; 334]] {
        let server = Server::answering(response("200 OK", &[], &body)).await;
        let fields = json!({"url": server.url("/")});
        assert_failed(&run_with(&connector, fields).await, text);
    }

    let server = Server::answering(response("200 OK", &[], &[b'x'; 1000])).await;
    info(&run_with(&connector, json!({"url": server.url("/")})).await);
    let fields = json!({"url": server.url("/"), "data": "y".repeat(200), "show_data": true});
    let resource = run_with(&connector, fields).await;
    let text = message(&resource);
    assert!(text.starts_with("The webhook was invoked, but its outputs take 12"), "{text}");

    let server = Server::answering(response("500 Oops", &[], &[b'x'; 1000])).await;
    assert_failed(
        &run_with(&connector, json!({"url": server.url("/")})).await,
        &format!("Webhook failed with status code 500, response: {}", "x".repeat(1000)),
    );
    let inputs = HashMap::from([("long".to_owned(), literal::string("é".repeat(1000)))]);
    let task = task(json!({"url": "{inputs.short}"}), inputs);
    let resource = connector.r#do(&task).await.unwrap();
    assert!(message(&resource).len() < 1200);
    assert!(message(&resource).ends_with('…'));
}
