//! What Deletes cost a workflow while the backend does not confirm them.

use std::time::Duration;

use tokio::time::sleep;
use tonic::Code;

use crate::common::{
    backend::{Backend, Does},
    requests::{create, create_in, query},
    service::{exact, tasks},
};

/// Between a failed round and the next.
const ROUND: Duration = Duration::from_secs(10);

/// How many a workflow survives.
const SURVIVED: usize = 10;

#[tokio::test(start_paused = true)]
async fn deletes_of_many_nodes_cost_a_workflow_no_more_rounds_than_it_survives() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    let mut handles = Vec::new();
    for node in 0..6 {
        let request = create("job", &format!("s3://flyte/f1/n{node}/0"), 0);
        handles.push(tasks.create(request).await.expect("a handle"));
    }
    backend.on_delete(Does::Hangs);
    let mut failed = 0;
    // One after another, as timeouts of nodes come.
    for handle in &handles {
        while let Err(error) = tasks.delete(query("job", handle)).await {
            assert_eq!(error.code(), Code::Unavailable);
            failed += 1;
            sleep(ROUND).await;
        }
        sleep(30 * ROUND).await;
    }
    assert!((1..=SURVIVED).contains(&failed), "{failed} failed rounds");
    backend.on_delete(Does::Answers(()));
    sleep(12 * ROUND).await;
    assert_eq!(backend.deleted(), handles.len(), "each is deleted all the same");
}

#[tokio::test(start_paused = true)]
async fn a_workflow_is_not_charged_for_another() {
    let backend = Backend::new();
    let tasks = tasks(&exact(), &backend).await;
    backend.on_delete(Does::Hangs);
    for name in ["f1", "f2"] {
        let request = create_in(name, "job", &format!("s3://flyte/{name}/n0/0"), 0);
        let handle = tasks.create(request).await.expect("a handle");
        let error = tasks.delete(query("job", &handle)).await.expect_err("not confirmed yet");
        assert_eq!(error.code(), Code::Unavailable);
        sleep(10 * ROUND).await;
    }
}
