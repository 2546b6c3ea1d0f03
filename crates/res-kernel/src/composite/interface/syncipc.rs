//! Synchronous ipc: two threads meet at an end point and exchange two words each way.

use core::ffi::c_int;

use super::Word;

unsafe extern "C" {
    /// Calls: hands over two words, waits for the server's answer of two.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn syncipc_call(
        end_point: c_int,
        first: Word,
        second: Word,
        first_answer: *mut Word,
        second_answer: *mut Word,
    ) -> c_int;

    /// Answers the last call, if there was one, and waits for the next.
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
