//! What lines of the log are about, where the code that logs them does not know.
//!
//! A span of `tracing` would do, but writes all its fields down when it begins:
//! that is dearer than most calls of a connector, which log nothing.

use std::{
    cell::RefCell,
    fmt,
    mem::swap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn Subject>>> = const { RefCell::new(None) };
}

/// Something that lines are about.
pub trait Subject: Send + Sync {
    /// Tells the names and values of its fields.
    fn fields(&self, tell: &mut dyn FnMut(&'static str, Told<'_>));
}

/// The value of a field.
#[derive(Clone, Copy)]
pub enum Told<'a> {
    /// What is written as a text.
    Text(&'a dyn fmt::Display),
    /// What is written as a number.
    Number(u64),
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(to),
            Self::Number(number) => number.fmt(to),
        }
    }
}

impl From<Told<'_>> for serde_json::Value {
    fn from(told: Told<'_>) -> Self {
        match told {
            Told::Text(text) => text.to_string().into(),
            Told::Number(number) => number.into(),
        }
    }
}

pin_project! {
    /// A future whose lines of the log are about a subject.
    pub struct About<F> {
        subject: Option<Arc<dyn Subject>>,
        #[pin]
        future: F,
    }
}

impl<F> About<F> {
    /// The future, whose lines are about the subject from now on.
    pub fn new(subject: Arc<dyn Subject>, future: F) -> Self {
        Self { subject: Some(subject), future }
    }
}

impl<F: Future> Future for About<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _within = Within::enter(this.subject);
        this.future.poll(context)
    }
}

/// Has put a subject in the place of the current one, until it is dropped.
struct Within<'a>(&'a mut Option<Arc<dyn Subject>>);

impl<'a> Within<'a> {
    fn enter(subject: &'a mut Option<Arc<dyn Subject>>) -> Self {
        CURRENT.with_borrow_mut(|current| swap(current, subject));
        Self(subject)
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| swap(current, self.0));
    }
}

/// What the code that runs now logs about.
pub(super) fn current() -> Option<Arc<dyn Subject>> {
    CURRENT.with_borrow(Option::clone)
}
