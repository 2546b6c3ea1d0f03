//! Memory from the heap, under Miri, which has no memfd. All mappings of an object are the same.

use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::Arc;

use res_api::ErrorKind;

use crate::{Access, KernelError};

/// Pages, as long as one mapping is left.
#[derive(Debug)]
pub(super) struct Object(Arc<Pages>);

/// The same pages.
#[derive(Debug)]
pub(super) struct Mapping(Arc<Pages>);

#[derive(Debug)]
struct Pages {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: heap memory may be freed by any thread.
unsafe impl Send for Pages {}
// SAFETY: a shared `Pages` only tells where it is.
unsafe impl Sync for Pages {}

impl Object {
    pub(super) fn new(len: usize) -> Result<Self, KernelError> {
        let full = KernelError::new("make a memory object", ErrorKind::NoMemory);
        let page = rustix::param::page_size();
        let layout = Layout::from_size_align(len, page).map_err(|_| full)?;
        if len > 1 << 30 {
            return Err(full);
        }
        // SAFETY: the layout is of at least one page.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(full)?;
        Ok(Self(Arc::new(Pages { base, layout })))
    }

    pub(super) fn map(&self, _access: Access) -> Result<Mapping, KernelError> {
        Ok(Mapping(Arc::clone(&self.0)))
    }
}

impl Mapping {
    pub(super) fn base(&self) -> NonNull<u8> {
        self.0.base
    }

    pub(super) fn len(&self) -> usize {
        self.0.layout.size()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated in `Object::new` with that layout, freed here only.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}
