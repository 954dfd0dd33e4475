//! `resource_meta`, as a Get brings it: of each connector, plain or in a handle.

use bolero::check;
use bytes::Bytes;
use flightdeck::{
    connector::{Connector, TaskCategory},
    supervisor::TaskQuery,
};
use tonic::Code;

use crate::{corpus::mutated, service::Service};

#[test]
fn get_corpus() {
    check!().for_each(|bytes: &[u8]| target(bytes));
}

#[test]
fn get_mutated() {
    check!().with_generator(mutated("meta::get_corpus")).for_each(|bytes| target(bytes));
}

fn target(bytes: &[u8]) {
    Service::with(async |service| {
        for category in &service.categories {
            plain(service, category, bytes);
            get_and_delete(service, category, bytes).await;
        }
        service.until_empty().await;
    });
}

/// What a connector reads it writes back as it was.
fn plain(service: &Service, category: &TaskCategory, bytes: &[u8]) {
    let connector = service.tasks.connectors().get(category).expect("a connector");
    let Connector::Async(connector) = connector else {
        return;
    };
    let Ok(job) = connector.job(bytes, "") else {
        return;
    };
    let meta = job.meta().expect("what was read can be written");
    let again = connector.job(&meta, "").expect("what was written can be read");
    assert_eq!(again.meta().expect("as before"), meta);
    job.log_links();
}

/// Either the bytes are refused for what they are, or they are a task.
async fn get_and_delete(service: &Service, category: &TaskCategory, bytes: &[u8]) {
    let query = TaskQuery {
        category: category.clone(),
        task_type: category.name.clone(),
        resource_meta: Bytes::copy_from_slice(bytes),
        output_prefix: String::new(),
        deadline: None,
    };
    match service.tasks.get(query.clone()).await {
        Ok(resource) => assert_ne!(resource.phase, 0, "a phase is always set"),
        Err(error) => return assert_eq!(error.code(), Code::InvalidArgument, "{error}"),
    }
    service.tasks.delete(query).await.expect("nothing runs anywhere");
}
