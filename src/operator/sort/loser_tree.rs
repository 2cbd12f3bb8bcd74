//! The next of k sorted inputs, with log2(k) comparisons.
//!
//! ```text
//!             winner                 tree[0]: the input with the smallest head
//!               │                    tree[n]: who lost the match at node n
//!             1: B                   replay after the winner moved on: only the
//!           ┌───┴───┐                matches on its way to the root are played again
//!         2: C    3: D
//!         ┌─┴─┐   ┌─┴─┐
//!         A   C   B   D
//! ```
//!
//! D. Knuth, The Art of Computer Programming 3, 5.4.1.

/// A node where no match was played yet.
const EMPTY: usize = usize::MAX;

/// A tournament between inputs 0..k. `beats(a, b)` says whether a's head comes before b's; an input
/// that is exhausted must beat nobody that is not.
#[derive(Debug)]
pub(super) struct LoserTree {
    tree: Vec<usize>,
}

impl LoserTree {
    /// The tournament of `inputs` inputs, at least one.
    pub(super) fn new(inputs: usize, beats: impl Fn(usize, usize) -> bool) -> Self {
        let mut tree = vec![EMPTY; inputs.max(1)];
        for input in 0..inputs {
            let mut winner = input;
            let mut node = (input + inputs) / 2;
            while node > 0 {
                if tree[node] == EMPTY {
                    // The opponent is not known yet and will play on.
                    tree[node] = winner;
                    winner = EMPTY;
                    break;
                }
                if beats(tree[node], winner) {
                    std::mem::swap(&mut tree[node], &mut winner);
                }
                node /= 2;
            }
            if winner != EMPTY {
                tree[0] = winner;
            }
        }
        Self { tree }
    }

    /// The input with the first head.
    pub(super) fn winner(&self) -> usize {
        self.tree[0]
    }

    /// Plays the winner's matches again after its head has changed.
    pub(super) fn replay(&mut self, beats: impl Fn(usize, usize) -> bool) {
        let mut winner = self.tree[0];
        let mut node = (winner + self.tree.len()) / 2;
        while node > 0 {
            if beats(self.tree[node], winner) {
                std::mem::swap(&mut self.tree[node], &mut winner);
            }
            node /= 2;
        }
        self.tree[0] = winner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_any_number_of_inputs() {
        for inputs in 1..20_usize {
            let lists: Vec<Vec<usize>> = (0..inputs).map(|input| (0..input * 3).map(|i| (i * 7 + input) / 2).collect()).collect();
            let mut at = vec![0; inputs];
            let beats = |at: &[usize], a: usize, b: usize| match (lists[a].get(at[a]), lists[b].get(at[b])) {
                (Some(a), Some(b)) => a < b,
                (head, _) => head.is_some(),
            };
            let mut tree = LoserTree::new(inputs, |a, b| beats(&at, a, b));
            let mut merged = Vec::new();
            while let Some(&head) = lists[tree.winner()].get(at[tree.winner()]) {
                merged.push(head);
                at[tree.winner()] += 1;
                tree.replay(|a, b| beats(&at, a, b));
            }
            let mut expected = lists.concat();
            expected.sort_unstable();
            assert_eq!(merged, expected, "{inputs} inputs");
        }
    }
}
