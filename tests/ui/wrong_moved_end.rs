use res::{Backend, Comp, Fault, IntoCap, Rx, Sender, Slot, Spsc};

const LINES: Slot<Rx<Spsc, u64>> = Slot::new("lines");

fn sent<B: Backend>(b: &B, over: &mut B::CapSnd) -> Result<(), Fault> {
    let (mut tx, _rx) = b.chan::<Spsc, u64>(4)?;
    over.send(tx.into_cap())?;
    tx.send(1)?;
    Ok(())
}

fn endowed<B: Backend>(b: &B, reader: &Comp<B>) -> Result<(), Fault> {
    let (_tx, rx) = b.chan::<Spsc, u64>(4)?;
    reader.endow(LINES, rx)?;
    drop(rx);
    Ok(())
}

fn main() {}
