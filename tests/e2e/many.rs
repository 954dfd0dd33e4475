//! Calls about many tasks.

use std::ops::Range;

use bytes::Bytes;
use flightdeck::connector::Phase;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;
use tonic::Status;

use crate::client::Client;

/// Calls at once.
const AT_ONCE: usize = 64;

/// Creates tasks, at least once each; a permit is added for each.
pub async fn create_all(client: &Client, numbers: Range<usize>, created: &Semaphore) -> Vec<Bytes> {
    let creates = stream::iter(numbers).map(|number| {
        let client = client.clone();
        async move {
            let handle = client.create_at_least_once(number).await;
            created.add_permits(1);
            handle
        }
    });
    creates.buffered(AT_ONCE).collect().await
}

/// Asks about tasks until each has succeeded.
pub async fn until_all_succeed(client: &Client, handles: &[Bytes]) {
    let gets = stream::iter(handles.to_vec()).map(|handle| {
        let client = client.clone();
        async move { client.until(&handle, Phase::Succeeded).await }
    });
    gets.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// Asks about every task once.
pub async fn all_phases(client: &Client, handles: &[Bytes]) -> Vec<Result<Phase, Status>> {
    let gets = stream::iter(handles.to_vec()).map(|handle| {
        let client = client.clone();
        async move { client.get(&handle).await }
    });
    gets.buffered(AT_ONCE).collect().await
}

/// Asks about every task once: no Get fails.
pub async fn expect_all(client: &Client, handles: &[Bytes], phases: &[Phase]) {
    for phase in all_phases(client, handles).await {
        let phase = phase.expect("no Get fails after SERVING");
        assert!(phases.contains(&phase), "{phase:?}");
    }
}
