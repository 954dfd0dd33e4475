//! What a hundred thousand sensors on a thousand objects of a store cost: how
//! many requests a round, and memory, lateness and CPU.

use std::{fmt::Write as _, time::Duration};

use crate::{
    Settings,
    cost::SIXTEEN,
    load::{Creates, Until, closed},
    messages,
    report::Report,
    runtime,
    sensors::{Polled, primed},
    service::{Service, store},
};

const SENSORS: usize = 100_000;
/// Objects that are waited for, in folders of a hundred.
const OBJECTS: usize = 1_000;
/// How long polls are measured: two rounds.
const TIME: Duration = Duration::from_secs(20);
/// How often a sensor looks, in seconds.
const ROUND: f64 = 10.0;

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(measure(settings, report));
}

async fn measure(settings: &Settings, report: &mut Report) {
    let store = Service::role("store");
    let url = store.url();
    let service = Service::flightdeck(&format!(
        "storage.s3.endpoint = {url:?}\nstorage.s3.anonymous = true\n"
    ));
    let creates = Creates::new(|number| {
        let object = number % OBJECTS;
        let mut sensor = messages::file_sensor(&format!("s3://bench/{}/{object}", object / 100));
        // A hundred wait for the same object, and each is a task of its own.
        write!(sensor.output_prefix, "/{number}").expect("text");
        sensor
    });
    let without = primed(&service, &creates).await;
    let count = settings.count(SENSORS, 1_000);
    let all = Until::Count(count);
    closed(&service, &creates, SIXTEEN.connections, SIXTEEN.streams, all).await;

    let mut before = 0;
    let from_now_on = async || before = store::requests(&url).await;
    let time = settings.time(TIME);
    let polled = Polled::of(&service, count, without, time, from_now_on).await;
    let requests = (store::requests(&url).await - before) as f64;
    polled.tell(&format!("{count} sensors on {OBJECTS} objects"), report);
    report.figure("requests in a round of 10 s", "", requests / polled.seconds * ROUND);
    let polls = polled.lateness.count() as f64;
    report.figure("polls for a request", "", polls / requests);
}
