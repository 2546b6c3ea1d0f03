//! Isolated components on Composite: each is a component of the composer's, there from boot, and so
//! is the manager, which they invoke on their own threads.
//!
//! [`Sinv`] is the backend that a component has, [`Manager`] what the component of the manager is
//! made of. There is no std and no allocator; what is used up is refused by a typed error, and what is
//! dropped goes back to a pool. Within a component everything is as in the library backend with the
//! policy `Static`.
//!
//! A memory object is a buffer of the memory manager, which the manager makes, hands out by its number,
//! and has mapped as well; a word in it has a blockpoint of the scheduler, of which the manager tells
//! who has the object. Then data, triggers and wake-ups are between those two components. What the
//! manager is asked travels in the words of the invocation ([`ask`]), and what does not fit there in a
//! page that it shares with that one component.
//!
//! # What it does not do
//!
//! * Make, stop or kill components: they are the composer's.
//! * Tell that a component has died: a fault halts the machine. Who leaves tells the others, as ever.
//! * Keep a stranger out of pages and blockpoints whose numbers it guesses: Composite's managers ask
//!   nobody who he is. For the same reason pages that two components have had may be used again by
//!   others.
//! * Share memory for reading only: the memory manager has no such mapping.
//!
//! # How much there is
//!
//! | what | for all | for one component |
//! |---|---|---|
//! | components | 8 | |
//! | memory objects, among them one for each channel | 128 | 48 |
//! | components that have ever had one object | | 4 |
//! | capabilities on their way, among them what is published | 32 | 16 |
//! | names | 32 | 16 |
//! | channels of capabilities | 32 | 16 |
//! | sources with their signallers elsewhere, that groups watch | | 64 |

pub mod ask;
mod encoded;
mod link;
mod manager;
mod outside;
mod page;
mod sinv;

pub use manager::Manager;
pub use sinv::{NoComponent, Sinv};
