//! A component without a runtime: it says to the manager what it likes.

use core::ptr::{NonNull, addr_of};

use backend_local::outside::WordId;
use backend_sinv::composite::ask::{Ask, answered};
use res_api::{ErrorKind, Fault, Gone, Name, Side};
use res_kernel::KernelMemory;
use res_kernel::composite::interface::memmgr::BufferId;
use res_kernel::composite::syscall::{Answer, Client, Stub};

use crate::peer::{self, machine};

unsafe extern "C" {
    static __cosrt_ucap_sinv_ask: Stub;
}

/// Asks what the words say, as this component.
pub(crate) fn ask(_: Client, words: [u64; 4]) -> Answer {
    // SAFETY: the composer's symbol; numbers, and no addresses; the manager invokes nobody.
    unsafe { Stub::read(addr_of!(__cosrt_ucap_sinv_ask)).invocation().call(words) }
}

fn asks(client: Client, what: Ask) -> Result<[u64; 3], ErrorKind> {
    answered(ask(client, what.to_words()))
}

/// The page that this component shares with the manager.
struct Page(NonNull<u8>);

impl Page {
    fn put(&self, at: usize, byte: u8) {
        // SAFETY: within the page, which is mapped for ever; the manager bears whatever is there.
        unsafe { self.0.add(at % 4096).write_volatile(byte) };
    }

    fn put_name(&self, name: Name) {
        (0..).zip(name.to_bytes()).for_each(|(at, byte)| self.put(at, byte));
    }

    fn get(&self, at: usize) -> u8 {
        // SAFETY: as above.
        unsafe { self.0.add(at % 4096).read_volatile() }
    }
}

/// A capability as it came, of which it holds nothing any more.
struct Bait {
    bytes: [u8; 512],
    len: usize,
}

/// Takes what is under the name, gives up its ends, and then tries to publish it all the same: as it
/// was, with each byte changed, cut off, and noise. How often that was refused; -1 if it was not once.
pub(crate) fn forge(client: Client, [from, ..]: [u64; 4]) -> Answer {
    let forged = page(client).and_then(|page| {
        let bait = taken(client, &page, from)?;
        let refused = publishes(client, &page, &bait) + cuts_off(client, &page, &bait);
        Ok(refused + babbles(client, &page))
    });
    let ended = asks(client, Ask::End);
    peer::answer(forged.and_then(|refused| ended.map(|_| refused).map_err(Fault::from)))
}

fn page(client: Client) -> Result<Page, Fault> {
    let [buffer, ..] = asks(client, Ask::Attach)?;
    // SAFETY: the manager said it to this component, which attaches by one thread at a time.
    let page = unsafe { machine()?.open(buffer as BufferId)? };
    Ok(Page(page.base()))
}

fn taken(client: Client, page: &Page, from: u64) -> Result<Bait, Fault> {
    page.put_name(Name::numbered("end", from as u32)?);
    let [objects, len, _] = asks(client, Ask::Lookup)?;
    let (behind, len) = (16 * objects as usize, len as usize);
    let mut bait = Bait { bytes: [0; 512], len };
    for (at, byte) in bait.bytes.iter_mut().take(len).enumerate() {
        *byte = page.get(behind + at);
    }
    let object = u64::from_le_bytes(core::array::from_fn(|at| page.get(at)));
    for offset in [0, 16] {
        for side in [Side::Waiters, Side::Signallers] {
            asks(client, Ask::Left(WordId { object, offset }, side, Gone::Closed))?;
        }
    }
    Ok(bait)
}

/// Publishes what is in the page; 1 where that was refused.
fn publish(client: Client, len: usize) -> u64 {
    match asks(client, Ask::Publish(len as u32)) {
        Err(ErrorKind::Misbehaved | ErrorKind::Other) | Ok(_) => panic!("it was not refused"),
        Err(_) => 1,
    }
}

fn put(page: &Page, bytes: impl IntoIterator<Item = u8>) {
    page.put_name(const { Name::new("forged") });
    (Name::SIZE..).zip(bytes).for_each(|(at, byte)| page.put(at, byte));
}

fn publishes(client: Client, page: &Page, bait: &Bait) -> u64 {
    let whole = &bait.bytes[..bait.len];
    put(page, whole.iter().copied());
    let mut refused = publish(client, bait.len);
    for at in 0..bait.len {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            put(page, whole.iter().copied());
            page.put(Name::SIZE + at, value);
            refused += publish(client, bait.len);
        }
    }
    refused
}

fn cuts_off(client: Client, page: &Page, bait: &Bait) -> u64 {
    let lengths = (0..bait.len).chain([bait.len + 1, 769, 4096, u32::MAX as usize]);
    lengths.fold(0, |refused, len| {
        put(page, bait.bytes.iter().copied());
        refused + publish(client, len)
    })
}

fn babbles(client: Client, page: &Page) -> u64 {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise as u8
    };
    (0..200).fold(0, |refused, round| {
        // One in two begins as an end does.
        put(page, (0..400).map(|at| if at == 0 && round % 2 == 0 { 2 } else { byte() }));
        refused + publish(client, 400)
    })
}
