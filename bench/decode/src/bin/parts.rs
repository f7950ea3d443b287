use sml_wire::*;
use std::hint::black_box;
fn main() {
    let mode: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut clean = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir("/work/shared/captures")
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "bin"))
        .collect();
    paths.sort();
    for p in paths {
        let bytes = std::fs::read(p).unwrap();
        let mut d = Decoder::new(vec![0; 16384]);
        let mut rest = &bytes[..];
        while let Some(e) = d.next(&mut rest) {
            if let Event::Frame(f) = e {
                let s = f.offset as usize;
                clean.extend_from_slice(&bytes[s..s + f.length]);
            }
        }
    }
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let input = clean.repeat(n);
    let t = std::time::Instant::now();
    let mut c = 0;
    let mut x = 0u64;
    let mut decoder = Decoder::new([0; 16 * 1024]);
    let mut rest = &input[..];
    if mode > 0 {
        while let Some(event) = decoder.next(&mut rest) {
            let Event::Frame(frame) = event else { continue };
            c += 1;
            if mode == 1 {
                x += black_box(frame).payload.len() as u64;
                continue;
            }
            for m in frame.file().messages() {
                let Ok(m) = m else { continue };
                if mode == 2 {
                    x += black_box(&m).offset as u64;
                    continue;
                }
                if let Body::GetListRes(l) = m.body {
                    for e in l.entries {
                        if mode == 3 {
                            if let Value::Integer(v) = e.value {
                                x = x.wrapping_add(v.magnitude());
                            }
                        } else {
                            x += black_box(&e).name.len() as u64;
                        }
                    }
                }
            }
        }
    }
    println!(
        "{c} {x} {:.0} ns",
        t.elapsed().as_nanos() as f64 / c.max(1) as f64
    );
}
