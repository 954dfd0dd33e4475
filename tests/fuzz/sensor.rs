//! The Create of a sensor: whatever is taken can be asked about elsewhere.

use bolero::check;
use flightdeck::{
    connector::TaskCategory, supervisor::TaskQuery, wire::flyteidl::admin::CreateTaskRequest,
};
use prost::Message;
use tonic::Code;

use crate::{corpus::mutated, service::Service};

#[test]
fn create_corpus() {
    check!().for_each(|bytes: &[u8]| target(bytes));
}

#[test]
fn create_mutated() {
    check!().with_generator(mutated("sensor::create_corpus")).for_each(|bytes| target(bytes));
}

fn target(bytes: &[u8]) {
    let Ok(mut request) = CreateTaskRequest::decode(bytes) else {
        return;
    };
    let template = request.template.get_or_insert_default();
    template.r#type = "sensor".to_owned();
    template.task_type_version = 0;
    Service::with(async |service| {
        let handle = match service.tasks.create(request).await {
            Ok(handle) => handle,
            Err(error) => return assert_eq!(error.code(), Code::InvalidArgument, "{error}"),
        };
        let query = TaskQuery {
            category: TaskCategory::from("sensor"),
            task_type: "sensor".to_owned(),
            resource_meta: handle,
            output_prefix: String::new(),
            deadline: None,
        };
        // A task that has left is adopted from its handle: as in another process.
        service.tasks.delete(query.clone()).await.expect("nothing runs anywhere");
        service.until_empty().await;
        service.tasks.get(query.clone()).await.expect("the handle is enough");
        service.tasks.delete(query).await.expect("nothing runs anywhere");
        service.until_empty().await;
    });
}
