//! Memory (R23, R31, R32).

use res_api::{
    AnyCap, Backend, ErrorKind, IntoCap, Map, Mem, MemoryModel, Rights, Role, SharedMem, kind_of,
};
use res_sync::model::Atomic;

use crate::stage::stage;
use crate::{Failure, Harness};

const BOTH: Rights = Rights::READ.union(Rights::WRITE);

/// The kind of the error, if it is one.
fn refused<T, E: core::error::Error + 'static>(result: Result<T, E>) -> Option<ErrorKind> {
    result.err().map(|error| kind_of(&error))
}

/// R31: new memory is at least as large as asked for, zero, and begins at a multiple of 64.
pub fn r31_new_memory_is_zero_and_aligned<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    for bytes in [1, 63, 64, 65, 1000, 4096] {
        for _ in 0..3 {
            let mut memory = s.mem(bytes)?;
            check!(memory.len() >= bytes && !memory.is_empty(), "{} of {bytes}", memory.len());
            check_eq!(memory.bytes().as_ptr() as usize % 64, 0, "offset from a multiple of 64");
            check!(memory.bytes().iter().all(|byte| *byte == 0), "new memory is not zero");
            // If it is used again, this must not show.
            memory.bytes_mut().fill(0xa5);
        }
    }
    Ok(())
}

/// R31: no bytes are `Invalid`, more than there can be are `NoMemory`.
pub fn r31_impossible_sizes_are_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    check_eq!(refused(s.mem(0)), Some(ErrorKind::Invalid), "no bytes");
    for bytes in [u64::MAX, u64::MAX - 63, 1 << 63, (1 << 63) - 1] {
        check_eq!(refused(s.mem(bytes)), Some(ErrorKind::NoMemory), "{bytes} bytes");
    }
    Ok(())
}

/// R31: what private memory held is seen after sharing; an alias sees what another handle writes.
pub fn r31_an_alias_sees_what_is_written<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let mut memory = s.mem(128)?;
    memory.bytes_mut()[..5].copy_from_slice(b"hello");
    let memory = memory.share();
    let alias = memory.alias(BOTH)?;
    let (here, there) = (memory.map(BOTH)?, alias.map(BOTH)?);
    let mut bytes = [0; 5];
    there.copy_out(0, &mut bytes)?;
    check_eq!(&bytes, b"hello", "through the alias");
    here.copy_in(61, b"across")?;
    let mut bytes = [0; 8];
    there.copy_out(60, &mut bytes)?;
    check_eq!(&bytes, b"\0across\0", "through the alias");
    there.word(64)?.store(77, core::sync::atomic::Ordering::Release);
    check_eq!(here.load(64)?, 77, "the word");
    check_eq!(&memory.len(), &alias.len(), "length of the alias");
    Ok(())
}

/// R31: a view outlives the handles.
pub fn r31_a_view_outlives_the_handles<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let view = memory.map(BOTH)?;
    drop(memory);
    let other = view.clone();
    view.copy_in(0, &[1, 2, 3])?;
    drop(view);
    let mut bytes = [0; 3];
    other.copy_out(0, &mut bytes)?;
    check_eq!(bytes, [1, 2, 3], "through a clone of the view");
    Ok(())
}

/// R31: every access outside of the bounds is refused, also where the offset overflows.
pub fn r31_bounds_are_checked<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let (view, len) = (memory.map(BOTH)?, memory.len());
    check_eq!(view.len(), len, "length of the view");
    let invalid = Err(ErrorKind::Invalid);
    for offset in [len, len + 1, u64::MAX, u64::MAX - 7, 1 << 63] {
        check_eq!(view.copy_in(offset, &[1]), invalid, "writing at {offset}");
        check_eq!(view.copy_out(offset, &mut [0]), invalid, "reading at {offset}");
        check_eq!(view.load(offset & !7).map(drop), invalid, "loading at {offset}");
        check_eq!(view.word(offset & !7).map(drop), invalid, "the word at {offset}");
    }
    check_eq!(view.copy_in(len - 1, &[1, 2]), invalid, "writing over the end");
    check_eq!(view.copy_out(len - 1, &mut [0; 2]), invalid, "reading over the end");
    check_eq!(view.copy_in(len - 2, &[1, 2]), Ok(()), "writing the last bytes");
    for offset in [1, 4, len - 4, len - 7] {
        check_eq!(view.load(offset).map(drop), invalid, "loading unaligned, at {offset}");
        check_eq!(view.word(offset).map(drop), invalid, "the word unaligned, at {offset}");
    }
    Ok(())
}

/// R32: who may not write cannot; who may not map with more cannot.
pub fn r32_rights_of_memory_are_kept<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let reader = memory.alias(Rights::READ)?;
    check_eq!(reader.rights(), Rights::READ, "rights of the alias");
    let denied = Some(ErrorKind::Denied);
    check_eq!(refused(reader.map(BOTH)), denied, "mapping to write");
    check_eq!(refused(reader.alias(BOTH)), denied, "an alias with more rights");
    let view = reader.map(Rights::READ)?;
    check_eq!(view.rights(), Rights::READ, "rights of the view");
    check_eq!(view.copy_in(0, &[1]), Err(ErrorKind::Denied), "writing");
    check_eq!(view.word(0).map(drop), Err(ErrorKind::Denied), "a word to write");
    check_eq!(view.load(0), Ok(0), "loading");
    // A view is as narrow as it was asked for, whatever the handle may.
    let narrow = memory.map(Rights::READ)?;
    check_eq!(narrow.copy_in(0, &[1]), Err(ErrorKind::Denied), "writing by a narrow view");
    Ok(())
}

/// R32: memory as a capability says how large it is, and rights taken away do not return.
pub fn r32_memory_keeps_its_rights_as_a_capability<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(100)?.share();
    let len = memory.len();
    memory.map(BOTH)?.copy_in(0, &[9])?;
    let mut cap = memory.into_cap();
    check_eq!((cap.desc().role, cap.desc().capacity), (Role::Mem, len), "(role, capacity)");
    cap.narrow(Rights::READ | Rights::TRANSFER);
    cap.narrow(Rights::all());
    check_eq!(cap.rights(), Rights::READ | Rights::TRANSFER, "rights");
    let memory: <H::Backend as Backend>::SharedMem = cap.cast()?;
    check_eq!(refused(memory.map(BOTH)), Some(ErrorKind::Denied), "mapping to write");
    let mut byte = [0];
    memory.map(Rights::READ)?.copy_out(0, &mut byte)?;
    check_eq!(byte, [9], "the same memory");
    Ok(())
}

/// H18: memory becomes private again only for the one who is alone with it.
pub fn h18_unshared_only_when_alone<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let alias = memory.alias(BOTH)?;
    let Err(memory) = memory.unshare() else {
        check!(false, "private while somebody else has it");
        return Ok(());
    };
    let view = alias.map(Rights::READ)?;
    drop(alias);
    let Err(memory) = memory.unshare() else {
        check!(false, "private while somebody has a view");
        return Ok(());
    };
    memory.map(BOTH)?.copy_in(3, &[4])?;
    drop(view);
    match memory.unshare() {
        Ok(private) => check_eq!(private.bytes()[3], 4, "the byte written before"),
        Err(_) => check!(false, "shared though nobody else has it"),
    }
    Ok(())
}

/// R31: bytes beside those that one thread writes are not disturbed by another that writes these.
pub fn r31_neighbours_are_not_disturbed<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let (view, rounds) = (memory.map(BOTH)?, s.rounds(2_000));
    let theirs = view.clone();
    let thread = s.spawn(move || {
        for round in 0..rounds {
            theirs.copy_in(0, &[round as u8; 3])?;
        }
        Ok(())
    })?;
    for round in 0..rounds {
        let mut bytes = [0; 5];
        view.copy_in(3, &[round as u8; 5])?;
        view.copy_out(3, &mut bytes)?;
        check_eq!(bytes, [round as u8; 5], "our bytes");
    }
    s.join(&thread)
}

/// R31: words are atomics: two threads that count on one lose nothing.
pub fn r31_words_are_atomic<H: Harness>(h: &H) -> Result<(), Failure> {
    use core::sync::atomic::Ordering::Relaxed;

    fn count<M: MemoryModel>(word: &M::U64, rounds: u64) {
        for _ in 0..rounds {
            word.fetch_add(1, Relaxed);
        }
    }
    let s = stage(h);
    let view = s.mem(64)?.share().map(BOTH)?;
    let (theirs, rounds) = (view.clone(), s.rounds(5_000));
    let thread = s.spawn(move || {
        count::<<H::Backend as Backend>::Model>(theirs.word(8)?, rounds);
        Ok(())
    })?;
    count::<<H::Backend as Backend>::Model>(view.word(8)?, rounds);
    s.join(&thread)?;
    check_eq!(view.load(8), Ok(2 * rounds), "counted");
    Ok(())
}
