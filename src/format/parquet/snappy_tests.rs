//! Our Snappy decoder against the `snap` crate: what it writes, streams of every kind of tag, damage.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

type Decode = fn(&[u8], usize, &mut Vec<u8>) -> Result<(), Damaged>;

/// As it runs here, and as it runs on a processor of which nothing is known.
const DECODERS: [(&str, Decode); 2] = [
    ("dispatched", decompress),
    ("portable", |block, length, out| {
        decompress_by(block, length, out, |ends, place| ends.run_anywhere(place, ends.output).map(|_| ()))
    }),
];

/// Both decoders agree with `snap`: equal bytes or an error from each.
fn check(block: &[u8], what: &str) {
    let expected = snap::raw::Decoder::new().decompress_vec(block);
    let length = snap::raw::decompress_len(block).unwrap_or(0).min(1 << 24);
    for (name, decode) in DECODERS {
        let mut out = b"before".to_vec();
        let result = decode(block, length, &mut out);
        assert_eq!(&out[..6], b"before", "{what}, {name}");
        match &expected {
            Ok(expected) => {
                assert_eq!(result, Ok(()), "{what}, {name}");
                assert!(out[6..] == expected[..], "{what}, {name}: other bytes");
            }
            Err(_) => {
                assert_eq!(result, Err(Damaged), "{what}, {name}");
                assert_eq!(out.len(), 6, "{what}, {name}");
            }
        }
    }
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A valid block of random tags of all kinds; `numbers` favours short literals before copies.
fn random_block(random: &mut StdRng, tags: usize, numbers: bool) -> Vec<u8> {
    let (mut body, mut written) = (Vec::new(), 0usize);
    let literal = |random: &mut StdRng, body: &mut Vec<u8>, length: usize, wide: usize| {
        match (length, wide) {
            (1..=60, 0) => body.push(((length - 1) << 2) as u8),
            (_, wide) => {
                let wide = wide.max(if length <= 256 { 1 } else { 2 });
                body.push(((59 + wide) << 2) as u8);
                body.extend(&(length - 1).to_le_bytes()[..wide]);
            }
        }
        body.extend((0..length).map(|_| random.random::<u8>()));
        length
    };
    for tag in 0..tags {
        let kind = if numbers { tag % 2 * 5 } else { random.random_range(0..10) };
        if written == 0 || kind < 2 {
            let length = match random.random_range(0..if numbers { 1 } else { 20 }) {
                0..=15 => random.random_range(1..if numbers { 5 } else { 20 }),
                16..=18 => random.random_range(1..=60),
                _ => random.random_range(1..1000),
            };
            let wide = if random.random_range(0..50) == 0 { random.random_range(1..=4) } else { 0 };
            written += literal(random, &mut body, length, wide.max(usize::from(length > 60)));
            continue;
        }
        let near = random.random_range(0..4) == 0;
        let offset = if numbers && near { 8 } else { random.random_range(1..=if near { 20 } else { 70_000 }) };
        let offset = offset.min(written);
        let longest = if random.random_range(0..10) == 0 { 64 } else { 14 };
        let length = random.random_range(1..=longest);
        if offset < 2048 && (4..=11).contains(&length) && random.random() {
            body.extend([1 | (((length - 4) << 2) as u8) | (((offset >> 8) << 5) as u8), offset as u8]);
        } else if offset < 65536 && random.random_range(0..30) > 0 {
            body.push(2 | (((length - 1) << 2) as u8));
            body.extend((offset as u16).to_le_bytes());
        } else {
            body.push(3 | (((length - 1) << 2) as u8));
            body.extend((offset as u32).to_le_bytes());
        }
        written += length;
    }
    let mut block = Vec::new();
    varint(written, &mut block);
    block.extend(body);
    block
}

/// Things as pages hold them.
fn inputs(random: &mut StdRng) -> Vec<Vec<u8>> {
    let words = ["carefully ", "final ", "requests ", "a", "the ", "furiously", "zz", ". ", "deposits "];
    let mut inputs = vec![Vec::new(), vec![7], vec![0; 100_000]];
    for size in [3, 60, 61, 200, 400, 5000, 200_000] {
        inputs.push((0..size).map(|_| random.random()).collect());
        inputs.push((0..size / 8 + 1).flat_map(|_| random.random_range(0..3_000_000u64).to_le_bytes()).collect());
        let mut sum = 0u64;
        inputs.push(
            (0..size / 8 + 1)
                .flat_map(|_| {
                    sum += random.random_range(0..4);
                    sum.to_le_bytes()
                })
                .collect(),
        );
        let mut text = Vec::new();
        while text.len() < size {
            text.extend(words[random.random_range(0..words.len())].as_bytes());
        }
        inputs.push(text);
        let period = random.random_range(1..40);
        inputs.push((0..size).map(|index| (index % period) as u8).collect());
    }
    inputs
}

#[test]
fn reads_what_snap_writes() {
    let mut random = StdRng::seed_from_u64(1);
    for (number, input) in inputs(&mut random).into_iter().enumerate() {
        let block = snap::raw::Encoder::new().compress_vec(&input).unwrap();
        check(&block, &format!("input {number} of {} bytes", input.len()));
        for (_, decode) in DECODERS {
            for length in [input.len().wrapping_sub(1), input.len() + 1] {
                assert_eq!(decode(&block, length, &mut Vec::new()), Err(Damaged));
            }
        }
    }
}

#[test]
fn every_kind_of_tag_is_taken() {
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let tags = random.random_range(1..1500);
        check(&random_block(&mut random, tags, seed % 2 == 0), &format!("seed {seed}"));
    }
}

#[test]
fn damage_is_seen_where_snap_sees_it() {
    check(&[], "nothing");
    check(&[0x80], "a cut header");
    check(&[0xff, 0xff, 0xff, 0xff, 0xff, 1], "a long header");
    for seed in 0..1500 {
        let mut random = StdRng::seed_from_u64(seed);
        let tags = random.random_range(1..400);
        let mut block = random_block(&mut random, tags, seed % 2 == 0);
        match seed % 3 {
            0 => block.truncate(random.random_range(0..=block.len())),
            1 => {
                for _ in 0..random.random_range(1..4) {
                    let at = random.random_range(0..block.len());
                    block[at] ^= 1 << random.random_range(0..8);
                }
            }
            _ => {
                let at = random.random_range(0..block.len());
                block[at] = random.random();
                block.extend((0..random.random_range(0..4)).map(|_| random.random::<u8>()));
            }
        }
        check(&block, &format!("seed {seed}"));
    }
}
