//! How soon after its start the service is SERVING, and how much memory it
//! holds when idle.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    Settings,
    report::{Report, Target::AtMost},
    runtime,
    service::Service,
};

const RUNS: usize = 21;
const LIMIT: Duration = Duration::from_secs(10);
/// How long a service is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(1);
const MIB: f64 = 1048576.0;

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let (mut serving, mut resident) = (Vec::new(), 0.0);
        for _ in 0..settings.count(RUNS, 1) {
            let (took, service) = start().await;
            serving.push(took.as_secs_f64() * 1e3);
            if serving.len() == settings.count(RUNS, 1) {
                sleep(IDLE).await;
                resident = service.usage().resident / MIB;
            }
        }
        report.targeted("start to SERVING", "ms", serving, AtMost(100.0));
        report.targeted("resident when idle", "MiB", vec![resident], AtMost(20.0));
    });
}

/// Starts the service, and waits until it is SERVING.
async fn start() -> (Duration, Service) {
    let began = Instant::now();
    let service = Service::flightdeck("");
    let mut health = HealthClient::new(service.connect().await);
    loop {
        let answer = health.check(HealthCheckRequest::default()).await;
        if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
            return (began.elapsed(), service);
        }
        assert!(began.elapsed() < LIMIT, "it is not SERVING");
    }
}
