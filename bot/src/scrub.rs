//! How is the stack cleaned of what a secret left there on its way?
//!
//! Freed memory is wiped by the allocator. The stack is not: a code that was parsed, hashed or moved leaves copies in
//! frames that are gone. So whatever handles a passcode, code or PIN is polled through [`Scrubbed`], which overwrites
//! those frames before the thread goes on to anything else.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Deeper than any handler reaches, unoptimised ones included; a thread has 2 MiB.
const DEPTH: usize = 192 * 1024;

/// Overwrites the stack below the caller.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the stack is what is overwritten")]
pub(crate) fn stack() {
    let mut below = [0_u8; DEPTH];
    black_box(&mut below);
}

/// A future after each step of which the stack is scrubbed.
pub(crate) struct Scrubbed<F>(Pin<Box<F>>);

impl<F: Future> Scrubbed<F> {
    /// The same future, scrubbed.
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Scrubbed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.0.as_mut().poll(context);
        stack();
        polled
    }
}
