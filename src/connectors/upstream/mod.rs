//! Connector services that tasks are forwarded to.

mod member;
