//! What an error of an upstream means for a task.

use std::error::Error as _;

use tonic::{Code, ConnectError, Status};

use crate::connector::ConnectorError;

/// How many bytes an upstream's text may take in the head of our reply: callers
/// refuse a large one, grpcio from 8 KiB on. All but printable ASCII takes three
/// bytes for each there.
const LONGEST_TEXT: usize = 4096;

/// How flytekit's text begins for a task type that it does not have, with
/// NOT_FOUND.
const UNKNOWN_TASK_TYPE: &str = "Cannot find connector for task type";

/// What flytekit puts between a traceback and the error. Both are indented, so
/// nothing else begins a line like this.
const MESSAGE: &str = "\nMessage:\n";

/// What flytekit answers with UNKNOWN where a connector has no logs or metrics.
const NOT_IMPLEMENTED: &str = "NotImplementedError";

/// An upstream that cannot be called now.
pub(super) fn unreached(upstream: &str, cause: &str) -> ConnectorError {
    ConnectorError::unreached(format!("upstream {upstream} cannot be reached: {cause}"))
}

/// The error of a `get`, a `delete`, or a read of logs or metrics.
pub(super) fn of_call(upstream: &str, status: &Status) -> ConnectorError {
    let text = text(status);
    // Made here: the reply broke off, or never came.
    if status.source().is_some() && !was_unreached(status) {
        let cause = cause(status);
        return ConnectorError::transient(format!("upstream {upstream} broke off: {cause}"));
    }
    match status.code() {
        Code::Unavailable if was_unreached(status) => unreached(upstream, &cause(status)),
        Code::Unavailable | Code::Cancelled => {
            ConnectorError::transient(format!("upstream {upstream} broke off: {text}"))
        }
        Code::DeadlineExceeded => {
            ConnectorError::transient(format!("upstream {upstream} did not answer in time"))
        }
        Code::ResourceExhausted | Code::Aborted => ConnectorError::transient(text),
        // A worker that is starting, or that is replaced by a newer one.
        Code::NotFound if text.starts_with(UNKNOWN_TASK_TYPE) => {
            ConnectorError::transient(format!("upstream {upstream}: {text}"))
        }
        Code::NotFound => ConnectorError::gone(text),
        Code::PermissionDenied | Code::Unauthenticated => ConnectorError::denied(text),
        _ => ConnectorError::internal(text),
    }
}

/// The error of a `create` or a `do`: the caller gets it as it is.
pub(super) fn of_create(upstream: &str, status: &Status) -> ConnectorError {
    let error = of_call(upstream, status);
    match status.code() {
        _ if status.source().is_some() => error,
        // It has not begun anything, and may have the type in a moment.
        Code::NotFound => ConnectorError::unreached(error.message()),
        Code::InvalidArgument => ConnectorError::invalid(error.message()),
        Code::Internal | Code::Unknown => ConnectorError::permanent(error.message()),
        _ => error,
    }
}

/// True for the error of a service, or of a connector, that has no logs or no
/// metrics.
pub(super) fn is_not_implemented(status: &Status) -> bool {
    match status.code() {
        Code::Unimplemented => true,
        Code::Unknown => status.message().contains(NOT_IMPLEMENTED),
        _ => false,
    }
}

/// True if no connection was made, so that nothing was sent.
fn was_unreached(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The innermost cause, which has the system's own words.
fn cause(status: &Status) -> String {
    let mut innermost = status.message().to_owned();
    let mut source = status.source();
    while let Some(error) = source {
        innermost = error.to_string();
        source = error.source();
    }
    innermost
}

/// The text for a task's owner: without flytekit's own first line, which the
/// caller is told anyway, and without the traceback.
fn text(status: &Status) -> String {
    let whole = status.message();
    let text = match whole.rsplit_once(MESSAGE) {
        Some((_, message)) => unindented(message),
        None => whole.trim().to_owned(),
    };
    match text.is_empty() {
        true => format!("{:?} without a text", status.code()),
        false => shortened(text),
    }
}

/// flytekit indents the message by four blanks and ends it with a full stop.
fn unindented(message: &str) -> String {
    let lines = message.trim_start_matches('\n').lines();
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let text = lines.join("\n");
    text.strip_suffix('.').unwrap_or(&text).trim_end().to_owned()
}

fn shortened(mut text: String) -> String {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, letter)| {
        taken += match letter {
            ' '..='~' if *letter != '%' => 1,
            _ => 3 * letter.len_utf8(),
        };
        taken > LONGEST_TEXT
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ErrorClass;

    const TRACE: &str = "failed to get team_job task with error:\n Trace:\n\n    Traceback (most \
                         recent call last):\n      File \"x.py\"\n    Message:\n\nMessage:\n\n    \
                         JobError: lost:\n      first é\n\n      Message:\n\n      last..";

    #[test]
    fn a_traceback_is_left_out_and_the_message_kept_whole() {
        let text = text(&Status::internal(TRACE));
        assert_eq!(text, "JobError: lost:\n  first é\n\n  Message:\n\n  last.");
    }

    #[test]
    fn a_text_of_another_service_is_kept() {
        assert_eq!(text(&Status::internal(" it broke\n")), "it broke");
        assert_eq!(text(&Status::internal("")), "Internal without a text");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let plain = text(&Status::internal("e".repeat(2 * LONGEST_TEXT)));
        assert_eq!(plain.len(), LONGEST_TEXT + '…'.len_utf8());
        let accented = text(&Status::internal("é".repeat(LONGEST_TEXT)));
        assert_eq!(accented.chars().count(), LONGEST_TEXT / 6 + 1);
        assert!(accented.ends_with("é…"), "{accented}");
    }

    #[test]
    fn what_may_pass_is_transient_and_what_a_connector_raised_must_persist() {
        let unknown = "Cannot find connector for task type: team_job.";
        for (status, class) in [
            (Status::unavailable("Socket closed"), ErrorClass::Transient),
            (Status::deadline_exceeded(""), ErrorClass::Transient),
            (Status::cancelled(""), ErrorClass::Transient),
            (Status::resource_exhausted("busy"), ErrorClass::Transient),
            (Status::not_found(unknown), ErrorClass::Transient),
            (Status::not_found("no such job"), ErrorClass::Gone),
            (Status::permission_denied("no"), ErrorClass::Denied),
            (Status::internal(TRACE), ErrorClass::Internal),
            (Status::unknown("Unexpected <class 'ValueError'>: x"), ErrorClass::Internal),
        ] {
            assert_eq!(of_call("python", &status).class(), class, "{status}");
        }
    }

    #[test]
    fn a_create_keeps_its_code_and_one_of_an_unknown_type_may_be_tried_again() {
        let raised = of_create("python", &Status::internal(TRACE));
        assert_eq!((raised.class(), raised.code()), (ErrorClass::Permanent, Code::Internal));
        assert!(raised.was_sent());
        let unknown = Status::not_found("Cannot find connector for task type: x.");
        assert!(!of_create("python", &unknown).was_sent());
        let broken = of_create("python", &Status::unavailable("Socket closed"));
        assert!(broken.was_sent(), "it may have begun a job");
    }

    #[test]
    fn a_connector_without_logs_is_no_error() {
        let text = "Unexpected <class 'NotImplementedError'>: ";
        assert!(is_not_implemented(&Status::unknown(text)));
        assert!(is_not_implemented(&Status::unimplemented("Method not found!")));
        assert!(!is_not_implemented(&Status::unknown("Unexpected <class 'KeyError'>: 'x'")));
    }
}
