//! SIGKILL.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use flightdeck::connector::Phase;
use tokio::sync::Semaphore;

use crate::{
    api::Api,
    books::{Books, Fault, State},
    client::{Client, job},
    many::{all_phases, create_all, expect_all, until_all_succeed},
    process::Process,
};

/// Live tasks in the end.
const TASKS: usize = 5_000;

/// How many of them there are when the service is killed in the middle.
const BEFORE_THE_KILL: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_no_task_and_make_no_job_twice() {
    let api = Api::start(Books::default()).await;
    let service = Process::start(&api.url(), 0).await;
    let port = service.port;
    let client = Client::new(service.channel());

    // Gets all the while. They may fail while there is no service.
    let created = Arc::new(Semaphore::new(0));
    let creating = tokio::spawn({
        let (client, created) = (client.clone(), created.clone());
        async move { create_all(&client, 0..TASKS, &created).await }
    });
    let enough = u32::try_from(BEFORE_THE_KILL).expect("some thousands");
    created.acquire_many(enough).await.expect("it is not closed").forget();
    service.kill();
    let service = Process::start(&api.url(), port).await;
    let handles = creating.await.expect("every Create succeeds");
    assert_one_job_each(&api, &handles);

    // Every Get succeeds from the first moment on, for tasks of either process.
    expect_all(&client, &handles, &[Phase::Initializing, Phase::Running]).await;

    // And once more, with all of them alive and Gets under way.
    let asking = tokio::spawn({
        let (client, handles) = (client.clone(), handles.clone());
        async move { while all_phases(&client, &handles).await.iter().all(Result::is_ok) {} }
    });
    service.kill();
    asking.await.expect("Gets fail while there is no service, and that is all");
    let service = Process::start(&api.url(), port).await;
    expect_all(&client, &handles, &[Phase::Running]).await;

    // A repeated Create of a task that was adopted starts nothing.
    let before = creates(&api);
    let repeated = create_all(&client, 0..100, &created).await;
    assert_eq!(repeated, handles[..100]);
    assert_eq!(creates(&api), before);
    assert_one_job_each(&api, &handles);

    // What is deleted is deleted, and what ends is told, each of its own task.
    let (deleted, rest) = handles.split_at(100);
    for handle in deleted {
        client.delete(handle).await.expect("OK");
    }
    api.books().finish();
    until_all_succeed(&client, rest).await;
    let jobs = api.books().jobs();
    for (handles, state) in [(deleted, State::Deleted), (rest, State::Succeeded)] {
        assert!(handles.iter().all(|handle| jobs[job(handle)].state() == state));
    }
    assert!(jobs.iter().all(|job| job.gets > 0), "each was polled");
    drop(service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_the_backend_and_the_reply_makes_no_second_job() {
    const CREATES: usize = 50;
    let api = Api::start(Books::default()).await;
    let service = Process::start(&api.url(), 0).await;
    let port = service.port;
    let client = Client::new(service.channel());
    api.books().set_fault(Some(Fault::Hangs));
    let creating = tokio::spawn({
        let client = client.clone();
        async move { create_all(&client, 0..CREATES, &Semaphore::new(0)).await }
    });
    api.has_held(CREATES).await;
    service.kill();
    api.books().set_fault(None);
    let _service = Process::start(&api.url(), port).await;
    let handles = creating.await.expect("every Create succeeds");
    assert_one_job_each(&api, &handles);
    assert!(api.books().jobs().iter().all(|job| job.creates >= 2), "each was created again");
    expect_all(&client, &handles, &[Phase::Running]).await;
}

/// As many jobs as tasks, and every task has its own.
fn assert_one_job_each(api: &Api, handles: &[Bytes]) {
    let jobs: HashSet<_> = handles.iter().map(job).collect();
    assert_eq!(jobs.len(), handles.len(), "every task has a job of its own");
    assert_eq!(api.books().jobs().len(), handles.len(), "and no job is without a task");
}

/// How many creates the backend has had.
fn creates(api: &Api) -> usize {
    api.books().jobs().iter().map(|job| job.creates).sum()
}
