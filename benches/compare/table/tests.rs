use serde_json::json;

use super::*;

/// Figures of everything that the tables ask for, the same for all sizes: what is named with these nanoseconds, and the
/// rest with 100.
fn round(nanos: &[(&str, f64)]) -> Figures {
    let mut figures = Figures::new();
    for line in LINES.iter().chain(&THREADS) {
        let mut names = match line.row {
            Time(name) => vec![name],
            Ratio(one, other) => vec![one, other],
            OfPart(whole, parts) => [&[whole], parts].concat(),
        };
        names.sort_unstable();
        for name in names {
            let given = nanos.iter().find(|(given, _)| *given == name);
            let nanos = match (given, name) {
                (Some((_, nanos)), _) => *nanos,
                (None, "write/ours") => 400.0,
                _ => 100.0,
            };
            for size in SIZES {
                let name = name.replace('/', &format!("/{}/", size.name()));
                figures.insert(name, nanos);
            }
        }
    }
    figures
}

#[test]
fn a_program_reads_seven_ratios_of_three_sizes() {
    let rounds = [round(&[("read/new", 210.0), ("read/again", 66.6666)])];
    let text = json(&rounds).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "read.new.over_cipher": [2.1, 2.1, 2.1],
        "read.again.over_cipher": [0.667, 0.667, 0.667],
        "read.zipf.over_uncached": [1.0, 1.0, 1.0],
        "read.misses.over_uncached": [1.0, 1.0, 1.0],
        "read.added.actix_session_over_ours": [1.0, 1.0, 1.0],
        "write.over_cipher_and_random": [2.0, 2.0, 2.0],
        "write.request.actix_session_over_ours": [1.0, 1.0, 1.0],
    });
    assert_eq!(read, expected);
}

#[test]
fn a_ratio_is_the_median_of_those_within_rounds() {
    let slow = round(&[("read/new", 900.0), ("read/cipher", 300.0)]);
    let fast = round(&[("read/new", 200.0), ("read/cipher", 100.0)]);
    let odd = round(&[("read/new", 990.0), ("read/cipher", 100.0)]);
    let table = markdown(&[odd, fast, slow]).unwrap();
    let row = "| the time for a new token over that of the cipher alone | 3.00 | 3.00 | 3.00 |";
    assert!(table.contains(row), "{table}");
    let row = "| a read of a new token | 0.90 µs | 0.90 µs | 0.90 µs |";
    assert!(table.contains(row), "{table}");
}

#[test]
fn a_table_is_not_made_of_figures_that_are_missing_or_wrong() {
    let mut lacking = round(&[]);
    lacking.remove("write/large/jar").unwrap();
    let error = markdown(&[round(&[]), lacking]).unwrap_err();
    assert!(error.contains("there is no figure for write/large/jar"));
    let noise = round(&[("request/reading-ours", -1.0)]);
    assert!(json(&[noise]).unwrap_err().contains("noise"));
    let nothing = round(&[("request/reading-ours", f64::NAN)]);
    assert!(json(&[nothing]).unwrap_err().contains("noise"));
    // It was not opened, so it was not new.
    let cached = round(&[("read/new", 60.0)]);
    assert!(json(&[cached]).unwrap_err().contains("a part of it"));
    assert!(json(&[]).is_err());
}
