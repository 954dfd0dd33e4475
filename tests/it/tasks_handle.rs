//! What a Create hands out can be read again, in this process and in another.

use bytes::Bytes;
use flightdeck::{
    connector::Phase,
    wire::{flyteidl::core::LiteralMap, handle::Handle, literal},
};
use prost_types::{Struct, Value, value::Kind};
use tonic::Code;

use crate::common::{
    backend::Backend,
    requests::{anonymous, create, query},
    service::{exact, tasks},
};

#[tokio::test]
async fn a_create_whose_handle_could_not_be_read_again_is_refused() {
    let backend = Backend::new();
    let here = tasks(&exact(), &backend).await;
    let there = tasks(&exact(), &backend).await;
    for (length, is_taken) in [(1_000, true), (1 << 19, true), (1 << 20, false), (3 << 20, false)] {
        let mut request = anonymous("sensor");
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
        let custom = Struct {
            fields: [
                ("sensor_module".to_owned(), text("flytekit.sensor.file_sensor")),
                ("sensor_name".to_owned(), text("FileSensor")),
            ]
            .into(),
        };
        request.template.get_or_insert_default().custom = Some(custom);
        let path = literal::string(format!("/nowhere/{}", "x".repeat(length)));
        request.inputs = Some(LiteralMap { literals: [("path".to_owned(), path)].into() });
        match here.create(request).await {
            Ok(handle) => {
                assert!(is_taken, "{length} bytes");
                let resource = there.get(query("sensor", &handle)).await.expect("adopted");
                assert_ne!(resource.phase(), Phase::Undefined);
            }
            Err(error) => {
                assert!(!is_taken, "{length} bytes: {error}");
                assert_eq!(error.code(), Code::InvalidArgument, "{error}");
            }
        }
    }
    assert!(here.len() <= 2, "a refused Create leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn a_create_repeated_where_the_task_was_adopted_gets_the_handle_that_there_is() {
    let backend = Backend::new();
    let request = || create("job", "s3://b/n0/0", 0);
    let handle = tasks(&exact(), &backend).await.create(request()).await.expect("a handle");
    // As another version of Flightdeck would write it: with a field more.
    let longer = Bytes::from([&handle[..], &[0xfa, 0x7f, 0x01, 0x00]].concat());
    assert!(Handle::decode(&longer).expect("sound").is_some());
    for known in [handle, longer] {
        let there = tasks(&exact(), &backend).await;
        there.get(query("job", &known)).await.expect("adopted");
        for _ in 0..2 {
            assert_eq!(there.create(request()).await.expect("a handle"), known);
        }
        assert_eq!(there.len(), 1);
    }
    assert_eq!(backend.created().len(), 1);
}
