//! What a Create hands out can be read again, in this process and in another.

use flightdeck::{
    connector::Phase,
    wire::{flyteidl::core::LiteralMap, literal},
};
use prost_types::{Struct, Value, value::Kind};
use tonic::Code;

use crate::common::{
    backend::Backend,
    requests::{anonymous, query},
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
