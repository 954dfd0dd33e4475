//! Sensors on object stores that speak the real protocols, which
//! `tests/stores/run` starts; without them each test says that it is skipped.

// Where the stores are, and how to write to them.
mod servers;
// The service, and the sensors in it.
mod sensors;
// What stands between a sensor and a store, to break it and to count.
mod proxy;

// What counts as there, as for fsspec.
mod exists;
// Who gets in, and what is said to who does not.
mod access;
// One look for many sensors.
mod sharing;
// A hundred sensors while a store is out of order.
mod faults;
// Web servers.
mod web;
// The sensors of our own, and local files as they appear.
mod own;
