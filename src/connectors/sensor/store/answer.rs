//! What a store says about a request that failed, in words for a user.

use http::StatusCode;

use super::{
    place::{BucketName, Vendor},
    transport::{Broken, Met},
};
use crate::connector::ConnectorError;

/// The most of a store's own words that is told.
const LONGEST: usize = 300;

/// The error that a failed request amounts to. `what` says what was asked.
pub(super) fn error(bucket: &BucketName, what: &str, met: &Met) -> ConnectorError {
    match met {
        Met::Broken(Broken::Connect, cause) => {
            ConnectorError::unreached(format!("cannot look at {what}: {cause}"))
        }
        Met::Broken(_, cause) => {
            ConnectorError::transient(format!("cannot look at {what}: {cause}"))
        }
        Met::Answer { status, body, retry_after } => {
            let said = Said { bucket, what, status: *status, body };
            let error = said.error();
            match retry_after {
                Some(wait) => error.with_retry_after(*wait),
                None => error,
            }
        }
    }
}

struct Said<'a> {
    bucket: &'a BucketName,
    what: &'a str,
    status: StatusCode,
    body: &'a [u8],
}

impl Said<'_> {
    fn error(&self) -> ConnectorError {
        let code = tag(self.body, "Code").unwrap_or_default();
        let text = self.words(&code);
        let status = self.status;
        match &*code {
            "NoSuchBucket" | "ContainerNotFound" => return ConnectorError::gone(text),
            "SlowDown"
            | "RequestTimeout"
            | "RequestTimeTooSkewed"
            | "ServerBusy"
            | "OperationTimedOut"
            | "ExpiredToken"
            | "ContainerBeingDeleted" => {
                return ConnectorError::transient(text);
            }
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AccessDenied" | "InvalidToken" => {
                return ConnectorError::denied(text);
            }
            _ => {}
        }
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                ConnectorError::transient(text)
            }
            _ if status.is_server_error() || status.is_success() => ConnectorError::transient(text),
            StatusCode::NOT_FOUND => ConnectorError::gone(text),
            // Whatever else it refuses may be a setting, which can be mended.
            _ => ConnectorError::denied(text),
        }
    }

    fn words(&self, code: &str) -> String {
        let Self { bucket, what, status, .. } = self;
        let message = tag(self.body, "Message").unwrap_or_default();
        let message = message.lines().next().unwrap_or_default().trim_end_matches('.');
        let mut text = format!("cannot look at {what}: HTTP {}", status.as_u16());
        for part in [code, message] {
            if !part.is_empty() {
                text = format!("{text}, {}", clip(part));
            }
        }
        match (code, *status, bucket.vendor) {
            ("NoSuchBucket" | "ContainerNotFound", ..) => {
                format!("{text}: there is no {} {bucket}", bucket.vendor.bucket())
            }
            (_, StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT, Vendor::S3) => {
                format!("{text}: the bucket is in another region; set storage.s3.region")
            }
            (_, StatusCode::FORBIDDEN, Vendor::S3) => format!(
                "{text}: the credentials must allow s3:ListBucket on {bucket}, and without it S3 \
                 says the same of an object that is not there yet"
            ),
            (_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                format!("{text}: the credentials must allow listing {bucket}")
            }
            _ => text,
        }
    }
}

/// The text inside the first element of this name: enough for the errors of
/// stores, which are flat.
pub(super) fn tag(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    let inside = inside.trim();
    (!inside.is_empty() && !inside.contains('<')).then(|| inside.to_owned())
}

pub(super) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connector::ErrorClass;

    fn answer(status: u16, body: &str) -> Met {
        Met::Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            body: body.to_owned().into(),
            retry_after: None,
        }
    }

    fn said(met: &Met) -> ConnectorError {
        let bucket = BucketName { vendor: Vendor::S3, account: None, bucket: "b".to_owned() };
        error(&bucket, "s3://b/key", met)
    }

    #[test]
    fn what_a_store_says_has_a_class() {
        let code = |code: &str| format!("<Error><Code>{code}</Code><Message>m.</Message></Error>");
        for (status, body, class) in [
            (404, code("NoSuchBucket"), ErrorClass::Gone),
            (404, String::new(), ErrorClass::Gone),
            (403, code("AccessDenied"), ErrorClass::Denied),
            (403, String::new(), ErrorClass::Denied),
            (401, String::new(), ErrorClass::Denied),
            (301, code("PermanentRedirect"), ErrorClass::Denied),
            (400, code("AuthorizationHeaderMalformed"), ErrorClass::Denied),
            (400, code("ExpiredToken"), ErrorClass::Transient),
            (403, code("RequestTimeTooSkewed"), ErrorClass::Transient),
            (429, String::new(), ErrorClass::Transient),
            (503, code("SlowDown"), ErrorClass::Transient),
            (500, "<html>".to_owned(), ErrorClass::Transient),
            (200, "no XML".to_owned(), ErrorClass::Transient),
        ] {
            assert_eq!(said(&answer(status, &body)).class(), class, "{status} {body}");
        }
        for broken in [Broken::Connect, Broken::TimedOut, Broken::Cut] {
            let error = said(&Met::Broken(broken, "why".to_owned()));
            assert_eq!(error.class(), ErrorClass::Transient);
            assert!(error.message().contains("s3://b/key: why"), "{error}");
        }
    }

    #[test]
    fn an_error_says_what_the_store_said_and_what_to_do() {
        let denied = "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>";
        let error = said(&answer(403, denied));
        assert_eq!(
            error.message(),
            "cannot look at s3://b/key: HTTP 403, AccessDenied, No: the credentials must allow \
             s3:ListBucket on s3://b, and without it S3 says the same of an object that is not \
             there yet"
        );
    }

    #[test]
    fn the_pause_that_a_store_asks_for_is_handed_on() {
        let met = Met::Answer {
            status: StatusCode::SERVICE_UNAVAILABLE,
            body: "".into(),
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(said(&met).retry_after(), Some(Duration::from_secs(7)));
    }
}
