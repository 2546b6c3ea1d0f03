//! Synchronous ipc: threads meet at an end point and exchange two words each way.
//!
//! A client lends its turn to the server, over and over, until the server has answered: the server
//! runs as if it were as urgent as its client. Between calls it does not sleep, but spins, as the
//! least urgent thread of the system.
//!
//! # What the scheduler does not do
//!
//! * It has one end point, whatever its number.
//! * The first thread that waits there is its server for ever; and it can answer only by waiting
//!   for the next call. It keeps the lowest priority, unless it sets another.
//! * It knows no deadline. A server that ends, or sleeps, leaves its client without an answer.

use core::ffi::c_int;

use super::Word;

/// From [`syncipc_call`]: nobody has waited at the end point yet.
pub const NO_SERVER: c_int = -11;
/// From [`syncipc_call`]: the server sleeps, or has ended.
pub const SERVER_SLEEPS: c_int = 1;
/// From [`syncipc_reply_wait`]: another thread is the server.
pub const NOT_THE_SERVER: c_int = -1;

unsafe extern "C" {
    /// Calls: hands over two words, and gets two as the answer. 0, [`NO_SERVER`] or
    /// [`SERVER_SLEEPS`].
    ///
    /// # Safety
    ///
    /// Both addresses may be written to. The server does not sleep until it has answered: an
    /// answer to a call that has failed is written to where the call's stack was.
    pub fn syncipc_call(
        end_point: c_int,
        first: Word,
        second: Word,
        first_answer: *mut Word,
        second_answer: *mut Word,
    ) -> c_int;

    /// Answers the last call, if there was one, and waits for the next. 0 or [`NOT_THE_SERVER`].
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn syncipc_reply_wait(
        end_point: c_int,
        first_answer: Word,
        second_answer: Word,
        first: *mut Word,
        second: *mut Word,
    ) -> c_int;
}
