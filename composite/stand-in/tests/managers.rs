//! Statements about the other managers.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;

use composite_stand_in::FAILED;
use composite_stand_in::interface::init::{init_exit, init_parallelism};
use composite_stand_in::interface::memmgr::{
    memmgr_heap_page_alloc, memmgr_heap_page_allocn, memmgr_shared_page_allocn,
    memmgr_shared_page_map,
};
use composite_stand_in::interface::print::cos_print_str;

use statement::{so, statement};

statement! {
    pages_are_whole_and_in_a_row {
        // SAFETY: pages are asked for, and those that are got are written to.
        unsafe {
            let (one, many) = (memmgr_heap_page_alloc(), memmgr_heap_page_allocn(3));
            so!(one != 0 && many != 0);
            so!(one.is_multiple_of(4096) && many.is_multiple_of(4096));
            (one as *mut u8).write_bytes(1, 4096);
            (many as *mut u8).write_bytes(2, 3 * 4096);
            so!((one as *const u8).add(4095).read() == 1);
            so!((many as *const u8).read() == 2);
        }
    }
}

statement! {
    shared_pages_are_found_by_their_name {
        let (mut here, mut there) = (0, 0);
        // SAFETY: both places are ours.
        unsafe {
            let buffer = memmgr_shared_page_allocn(2, &raw mut here);
            so!(buffer > 0 && here.is_multiple_of(4096));
            so!(memmgr_shared_page_map(buffer, &raw mut there) == 2);
            (here as *mut u8).write(7);
            so!((there as *const u8).read() == 7);
            so!(memmgr_shared_page_map(99, &raw mut there) == 0);
        }
    }
}

statement! {
    one_core {
        // SAFETY: asks only.
        so!(unsafe { init_parallelism() } == 1);
    }
}

statement! {
    component_exits ends FAILED, "END 3", {
        // SAFETY: the end of the machine.
        unsafe { init_exit(3) };
        0
    }
}

statement! {
    library_prints ends 0, "some text\nSTACK", {
        let text = b"some text\n and eleven more";
        // SAFETY: more bytes are there than are said to be.
        so!(unsafe { cos_print_str(text.as_ptr().cast(), 10) } == 10);
        0
    }
}
