use res::{Backend, Env, Fault, Local, Name};

fn main() -> Result<(), Fault> {
    let rounds = 3;
    let system = Local::new()?;
    let entry = move |env: Env<Local>| {
        for _ in 0..rounds {
            env.yield_now();
        }
    };
    system.component(const { Name::new("rounds") }, entry)?.start()?;
    Ok(())
}
