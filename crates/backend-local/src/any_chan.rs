//! Channels of any `T: Send`, which only one address space can have.

use chan_impls::endpoint::{QueueRcv, QueueSnd};
use chan_impls::standalone::{Consumer, Producer, ring_with};
use res_api::{ErrorKind, Role};
use res_kernel::Kernel;
use res_sync::Park;

use crate::error::LocalError;
use crate::local::Local;
use crate::policy::Policy;

/// The sending end of a channel of any `T`.
pub type AnySnd<P, K, T> = QueueSnd<Local<P, K>, Producer<'static, T, <K as Park>::Model>>;

/// The receiving end of a channel of any `T`.
pub type AnyRcv<P, K, T> = QueueRcv<Local<P, K>, Consumer<'static, T, <K as Park>::Model>>;

impl<P: Policy, K: Kernel> Local<P, K> {
    /// A channel that carries any `T: Send`, such as a `String`. Its ends cannot become
    /// capabilities, because they cannot leave the address space.
    ///
    /// The ring comes from the global allocator, whatever the policy.
    ///
    /// ```
    /// use backend_local::Local;
    /// use res_api::{Receiver, Sender};
    ///
    /// let system = Local::new()?;
    /// let (mut tx, mut rx) = system.any_chan::<String>(2)?;
    /// tx.send("text".to_string())?;
    /// assert_eq!(rx.recv()?, "text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` for capacity 0 or one that overflows; `NoSlots`.
    pub fn any_chan<T: Send>(
        &self,
        capacity: u32,
    ) -> Result<(AnySnd<P, K, T>, AnyRcv<P, K, T>), LocalError> {
        let (push, pop) = ring_with::<T, K::Model>(capacity).ok_or(ErrorKind::Invalid)?;
        let ([snd, rcv], data, room) = self.pair([Role::Snd, Role::Rcv], capacity, || None)?;
        let tx = QueueSnd::new(push, snd, data.clone(), room.clone());
        Ok((tx, QueueRcv::new(pop, rcv, data, room)))
    }
}
