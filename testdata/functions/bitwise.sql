5 & 3, 5 | 3, 5 ^ 3, ~5, ~0L, 5 & NULL, 5Y & 3Y, 5L | 8, ~NULL
bit_count(7), bit_count(-1), bit_count(true), bit_count(5L), bit_count(NULL), bit_get(11, 0), bit_get(11, 2), getbit(11L, 63), bit_get(NULL, 1), bit_count(-1Y)
shiftleft(1, 3), shiftleft(1L, 40), shiftleft(1, 32), shiftright(-8, 1), shiftright(8, 1), shiftrightunsigned(-8, 28), shiftrightunsigned(-8L, 60), shiftleft(NULL, 1), shiftright(16Y, 2)
1 << 4, -16 >> 2, 1L << 33, typeof(5 & 3L), typeof(~1Y), typeof(shiftleft(1Y, 2)), typeof(bit_get(1, 0))
error: bit_get(11, 32)
error: bit_get(11, -1)
bitmap_bucket_number(1), bitmap_bucket_number(32769), bitmap_bucket_number(0), bitmap_bucket_number(-1), bitmap_bit_position(1), bitmap_bit_position(32769), bitmap_bit_position(-5), bitmap_count(X'0103'), bitmap_count(NULL)
