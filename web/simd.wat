;; The hot loops of the page's CPU runtime, four f32 at a time. Assembled to simd.wasm; tests/web/simd.rs compares the
;; two.
;;
;; Pointers are bytes, multiples of 16, into the memory of the runtime (cpu.js); bytes 0 to 15 are this module's own.
;; Lengths are in elements. A pointer of 0 stands for an output that is not wanted.
;;
;;   pack_transposed, pack    bring an operand of a product into panels
;;   multiply                 product of two operands in panels
;;   finish, slope            bias and activation after a product; derivative of the activation
;;   add_rows                 sums of columns
;;   bernoulli                likelihood of a row of pixels, and its gradient
;;   adam                     a step of the optimizer
;;   philox, binarize         random numbers; pixels drawn from grey levels
(module
  (memory (import "cpu" "memory") 1)

  ;; --- Matrix products. A panel holds `width` rows of an operand (4 of the left one, 8 of the right one), k by k:
  ;; --- panel[k][width]. The last panel may have room for more rows than there are.

  ;; Address of row `row` in panels of `width` rows and `inner` columns.
  (func $in_panel (param $to i32) (param $row i32) (param $inner i32) (param $width i32) (result i32)
    (i32.add (local.get $to) (i32.shl (i32.add
      (i32.mul (i32.mul (i32.div_u (local.get $row) (local.get $width)) (local.get $width)) (local.get $inner))
      (i32.rem_u (local.get $row) (local.get $width))) (i32.const 2))))

  ;; Rows that lie along memory, `stride` bytes apart: from[row][k]. `inner` is a multiple of 4. Four rows by four
  ;; columns are transposed in registers. Past the last row it is repeated.
  (func (export "pack_transposed") (param $from i32) (param $stride i32) (param $rows i32) (param $inner i32)
      (param $to i32) (param $width i32)
    (local $row i32) (local $p0 i32) (local $p1 i32) (local $p2 i32) (local $p3 i32) (local $end i32)
    (local $q i32) (local $step i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $ab v128) (local $cd v128) (local $ba v128) (local $dc v128)
    (local.set $step (i32.shl (local.get $width) (i32.const 2)))
    (loop $rows_left
      (local.set $q (call $in_panel (local.get $to) (local.get $row) (local.get $inner) (local.get $width)))
      (local.set $p0 (i32.add (local.get $from) (i32.mul (local.get $row) (local.get $stride))))
      (local.set $p1 (i32.add (local.get $p0) (select (local.get $stride) (i32.const 0)
        (i32.lt_u (i32.add (local.get $row) (i32.const 1)) (local.get $rows)))))
      (local.set $p2 (i32.add (local.get $p1) (select (local.get $stride) (i32.const 0)
        (i32.lt_u (i32.add (local.get $row) (i32.const 2)) (local.get $rows)))))
      (local.set $p3 (i32.add (local.get $p2) (select (local.get $stride) (i32.const 0)
        (i32.lt_u (i32.add (local.get $row) (i32.const 3)) (local.get $rows)))))
      (local.set $end (i32.add (local.get $p0) (i32.shl (local.get $inner) (i32.const 2))))
      (loop $columns_left
        (local.set $a (v128.load (local.get $p0)))
        (local.set $b (v128.load (local.get $p1)))
        (local.set $c (v128.load (local.get $p2)))
        (local.set $d (v128.load (local.get $p3)))
        (local.set $ab (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b)))
        (local.set $cd (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $c) (local.get $d)))
        (local.set $ba (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b)))
        (local.set $dc (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $c) (local.get $d)))
        (v128.store (local.get $q)
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ab) (local.get $cd)))
        (v128.store (local.tee $q (i32.add (local.get $q) (local.get $step)))
          (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ab) (local.get $cd)))
        (v128.store (local.tee $q (i32.add (local.get $q) (local.get $step)))
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $ba) (local.get $dc)))
        (v128.store (local.tee $q (i32.add (local.get $q) (local.get $step)))
          (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $ba) (local.get $dc)))
        (local.set $q (i32.add (local.get $q) (local.get $step)))
        (local.set $p0 (i32.add (local.get $p0) (i32.const 16)))
        (local.set $p1 (i32.add (local.get $p1) (i32.const 16)))
        (local.set $p2 (i32.add (local.get $p2) (i32.const 16)))
        (local.set $p3 (i32.add (local.get $p3) (i32.const 16)))
        (br_if $columns_left (i32.lt_u (local.get $p0) (local.get $end))))
      (br_if $rows_left (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4))) (local.get $rows)))))

  ;; Rows that lie across memory: from[k][row], `stride` bytes from one k to the next. `rows` is a multiple of 4.
  (func (export "pack") (param $from i32) (param $stride i32) (param $rows i32) (param $inner i32)
      (param $to i32) (param $width i32)
    (local $row i32) (local $k i32) (local $p i32) (local $q i32)
    (loop $rows_left
      (local.set $q (call $in_panel (local.get $to) (local.get $row) (local.get $inner) (local.get $width)))
      (local.set $p (i32.add (local.get $from) (i32.shl (local.get $row) (i32.const 2))))
      (local.set $k (local.get $inner))
      (loop $k_left
        (v128.store (local.get $q) (v128.load (local.get $p)))
        (local.set $q (i32.add (local.get $q) (i32.shl (local.get $width) (i32.const 2))))
        (local.set $p (i32.add (local.get $p) (local.get $stride)))
        (br_if $k_left (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
      (br_if $rows_left (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4))) (local.get $rows)))))

  ;; Four or eight numbers of a row of the output.
  (func $store (param $at i32) (param $x v128) (param $y v128) (param $wide i32) (param $accumulate i32)
    (if (local.get $accumulate) (then (local.set $x (f32x4.add (v128.load (local.get $at)) (local.get $x)))))
    (v128.store (local.get $at) (local.get $x))
    (if (local.get $wide) (then
      (if (local.get $accumulate)
        (then (local.set $y (f32x4.add (v128.load offset=16 (local.get $at)) (local.get $y)))))
      (v128.store offset=16 (local.get $at) (local.get $y)))))

  ;; output[m][n] = sum over k of left[m][k] right[n][k], or added to it. `columns` is a multiple of 4; rows of the
  ;; output are `stride` bytes apart. Tiles of 4 by 8 are summed in registers. A panel of the right operand stays in the
  ;; first cache.
  (func (export "multiply") (param $rows i32) (param $columns i32) (param $inner i32) (param $left i32)
    (param $right i32)
      (param $output i32) (param $stride i32) (param $accumulate i32)
    (local $row i32) (local $column i32) (local $a i32) (local $b i32) (local $end i32) (local $at i32)
      (local $wide i32)
    (local $s v128) (local $x v128) (local $y v128)
    (local $x0 v128) (local $x1 v128) (local $x2 v128) (local $x3 v128)
    (local $y0 v128) (local $y1 v128) (local $y2 v128) (local $y3 v128)
    (loop $columns_left
      (local.set $wide (i32.gt_u (i32.sub (local.get $columns) (local.get $column)) (i32.const 4)))
      (local.set $end (i32.add (local.get $right) (i32.shl (local.get $inner) (i32.const 5))))
      (local.set $a (local.get $left))
      (local.set $at (i32.add (local.get $output) (i32.shl (local.get $column) (i32.const 2))))
      (local.set $row (i32.const 0))
      (loop $rows_left
        (local.set $x0 (v128.const f32x4 0 0 0 0)) (local.set $y0 (local.get $x0))
        (local.set $x1 (local.get $x0)) (local.set $y1 (local.get $x0))
        (local.set $x2 (local.get $x0)) (local.set $y2 (local.get $x0))
        (local.set $x3 (local.get $x0)) (local.set $y3 (local.get $x0))
        (local.set $b (local.get $right))
        (loop $k_left
          (local.set $x (v128.load (local.get $b)))
          (local.set $y (v128.load offset=16 (local.get $b)))
          (local.set $s (v128.load32_splat (local.get $a)))
          (local.set $x0 (f32x4.add (local.get $x0) (f32x4.mul (local.get $s) (local.get $x))))
          (local.set $y0 (f32x4.add (local.get $y0) (f32x4.mul (local.get $s) (local.get $y))))
          (local.set $s (v128.load32_splat offset=4 (local.get $a)))
          (local.set $x1 (f32x4.add (local.get $x1) (f32x4.mul (local.get $s) (local.get $x))))
          (local.set $y1 (f32x4.add (local.get $y1) (f32x4.mul (local.get $s) (local.get $y))))
          (local.set $s (v128.load32_splat offset=8 (local.get $a)))
          (local.set $x2 (f32x4.add (local.get $x2) (f32x4.mul (local.get $s) (local.get $x))))
          (local.set $y2 (f32x4.add (local.get $y2) (f32x4.mul (local.get $s) (local.get $y))))
          (local.set $s (v128.load32_splat offset=12 (local.get $a)))
          (local.set $x3 (f32x4.add (local.get $x3) (f32x4.mul (local.get $s) (local.get $x))))
          (local.set $y3 (f32x4.add (local.get $y3) (f32x4.mul (local.get $s) (local.get $y))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (br_if $k_left (i32.ne (local.tee $b (i32.add (local.get $b) (i32.const 32))) (local.get $end))))
        (block $stored
          (call $store (local.get $at) (local.get $x0) (local.get $y0) (local.get $wide) (local.get $accumulate))
          (local.set $at (i32.add (local.get $at) (local.get $stride)))
          (br_if $stored (i32.ge_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $rows)))
          (call $store (local.get $at) (local.get $x1) (local.get $y1) (local.get $wide) (local.get $accumulate))
          (local.set $at (i32.add (local.get $at) (local.get $stride)))
          (br_if $stored (i32.ge_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $rows)))
          (call $store (local.get $at) (local.get $x2) (local.get $y2) (local.get $wide) (local.get $accumulate))
          (local.set $at (i32.add (local.get $at) (local.get $stride)))
          (br_if $stored (i32.ge_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $rows)))
          (call $store (local.get $at) (local.get $x3) (local.get $y3) (local.get $wide) (local.get $accumulate))
          (local.set $at (i32.add (local.get $at) (local.get $stride)))
          (local.set $row (i32.add (local.get $row) (i32.const 1))))
        (br_if $rows_left (i32.lt_u (local.get $row) (local.get $rows))))
      (local.set $right (local.get $end))
      (br_if $columns_left (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 8)))
        (local.get $columns)))))

  ;; --- Functions of four numbers.

  ;; exp, by a polynomial of degree 7 on half a power of two; relative error 1.2e-7. From 88.4 on infinity, 0 below
  ;; -87.7.
  (func $exp (param $x v128) (result v128)
    (local $n v128) (local $r v128)
    ;; pmax and pmin keep a NaN that is their first operand.
    (local.set $x (f32x4.pmin (f32x4.pmax (local.get $x) (v128.const f32x4 -88 -88 -88 -88))
      (v128.const f32x4 88.8 88.8 88.8 88.8)))
    ;; Adding 1.5 * 2^23 rounds to a whole number, whose bits are then the lowest.
    (local.set $n (f32x4.add (f32x4.mul (local.get $x)
      (v128.const f32x4 0x1.715476p0 0x1.715476p0 0x1.715476p0 0x1.715476p0))
      (v128.const f32x4 0x1.8p23 0x1.8p23 0x1.8p23 0x1.8p23)))
    (local.set $r (f32x4.sub (local.get $n) (v128.const f32x4 0x1.8p23 0x1.8p23 0x1.8p23 0x1.8p23)))
    ;; log 2 in two parts, the first of which has few bits, so that its multiples are exact.
    (local.set $r (f32x4.add
      (f32x4.sub (local.get $x) (f32x4.mul (local.get $r) (v128.const f32x4 0x1.63p-1 0x1.63p-1 0x1.63p-1 0x1.63p-1)))
      (f32x4.mul (local.get $r) (v128.const f32x4 2.1219444e-4 2.1219444e-4 2.1219444e-4 2.1219444e-4))))
    (f32x4.mul
      (f32x4.add (f32x4.add (f32x4.mul (f32x4.mul (local.get $r) (local.get $r))
        (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul
          (v128.const f32x4 1.9875691e-4 1.9875691e-4 1.9875691e-4 1.9875691e-4)
          (local.get $r)) (v128.const f32x4 1.3982e-3 1.3982e-3 1.3982e-3 1.3982e-3))
          (local.get $r)) (v128.const f32x4 8.333452e-3 8.333452e-3 8.333452e-3 8.333452e-3))
          (local.get $r)) (v128.const f32x4 4.1665796e-2 4.1665796e-2 4.1665796e-2 4.1665796e-2))
          (local.get $r)) (v128.const f32x4 0.16666665 0.16666665 0.16666665 0.16666665))
          (local.get $r)) (v128.const f32x4 0.5 0.5 0.5 0.5)))
        (local.get $r)) (v128.const f32x4 1 1 1 1))
      (i32x4.shl (i32x4.add (local.get $n) (v128.const i32x4 127 127 127 127)) (i32.const 23))))

  ;; log(1 + x) for x in [0, 1], by 2 artanh(x / (2 + x)).
  (func $log_one_plus (param $x v128) (result v128)
    (local $s v128) (local $t v128)
    (local.set $s (f32x4.div (local.get $x) (f32x4.add (local.get $x) (v128.const f32x4 2 2 2 2))))
    (local.set $t (f32x4.mul (local.get $s) (local.get $s)))
    (f32x4.mul (f32x4.add (local.get $s) (local.get $s))
      (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul
      (f32x4.add (f32x4.mul
        (v128.const f32x4 0.07692308 0.07692308 0.07692308 0.07692308)
        (local.get $t)) (v128.const f32x4 0.09090909 0.09090909 0.09090909 0.09090909))
        (local.get $t)) (v128.const f32x4 0.11111111 0.11111111 0.11111111 0.11111111))
        (local.get $t)) (v128.const f32x4 0.14285715 0.14285715 0.14285715 0.14285715))
        (local.get $t)) (v128.const f32x4 0.2 0.2 0.2 0.2))
        (local.get $t)) (v128.const f32x4 0.33333334 0.33333334 0.33333334 0.33333334))
        (local.get $t)) (v128.const f32x4 1 1 1 1))))

  ;; tanh: near 0 the quotient loses bits, and a series takes its place.
  (func $tanh (param $x v128) (result v128)
    (local $size v128) (local $e v128) (local $t v128)
    (local.set $size (f32x4.abs (local.get $x)))
    (local.set $e (call $exp (f32x4.mul (local.get $size) (v128.const f32x4 -2 -2 -2 -2))))
    (local.set $t (f32x4.mul (local.get $x) (local.get $x)))
    (v128.bitselect
      (f32x4.mul (local.get $x)
        (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul (f32x4.add (f32x4.mul
          (v128.const f32x4 -8.863235e-3 -8.863235e-3 -8.863235e-3 -8.863235e-3)
          (local.get $t)) (v128.const f32x4 2.186949e-2 2.186949e-2 2.186949e-2 2.186949e-2))
          (local.get $t)) (v128.const f32x4 -5.3968254e-2 -5.3968254e-2 -5.3968254e-2 -5.3968254e-2))
          (local.get $t)) (v128.const f32x4 0.13333334 0.13333334 0.13333334 0.13333334))
          (local.get $t)) (v128.const f32x4 -0.33333334 -0.33333334 -0.33333334 -0.33333334))
          (local.get $t)) (v128.const f32x4 1 1 1 1)))
      (v128.or
        (v128.and (local.get $x) (v128.const f32x4 -0 -0 -0 -0))
        (f32x4.div (f32x4.sub (v128.const f32x4 1 1 1 1) (local.get $e))
          (f32x4.add (v128.const f32x4 1 1 1 1) (local.get $e))))
      (f32x4.lt (local.get $size) (v128.const f32x4 0.35 0.35 0.35 0.35))))

  ;; The sigmoid of x, where `e` is exp(-|x|).
  (func $sigmoid_from (param $x v128) (param $e v128) (result v128)
    (f32x4.div
      (v128.bitselect (v128.const f32x4 1 1 1 1) (local.get $e) (f32x4.ge (local.get $x) (v128.const f32x4 0 0 0 0)))
      (f32x4.add (v128.const f32x4 1 1 1 1) (local.get $e))))

  ;; --- Activations, by the numbers of shaders/shared/activation.wgsl; GELU is not among them.

  (func $activation (param $kind i32) (param $x v128) (result v128)
    (local $zero v128) (local $e v128)
    (if (i32.eqz (local.get $kind)) (then (return (local.get $x))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then (return (call $tanh (local.get $x)))))
    (if (i32.eq (local.get $kind) (i32.const 2)) (then (return (f32x4.pmax (local.get $x) (local.get $zero)))))
    (if (i32.eq (local.get $kind) (i32.const 3)) (then (return (f32x4.pmax (local.get $x)
      (f32x4.mul (local.get $x) (v128.const f32x4 0.01 0.01 0.01 0.01))))))
    (if (i32.eq (local.get $kind) (i32.const 4)) (then (return (v128.bitselect
      (local.get $x)
      (f32x4.sub (call $exp (f32x4.pmin (local.get $x) (local.get $zero))) (v128.const f32x4 1 1 1 1))
      (f32x4.gt (local.get $x) (local.get $zero))))))
    (local.set $e (call $exp (f32x4.neg (f32x4.abs (local.get $x)))))
    (if (i32.eq (local.get $kind) (i32.const 5)) (then (return
      (f32x4.add (f32x4.pmax (local.get $x) (local.get $zero)) (call $log_one_plus (local.get $e))))))
    (local.set $e (call $sigmoid_from (local.get $x) (local.get $e)))
    (if (i32.eq (local.get $kind) (i32.const 6)) (then (return (local.get $e))))
    (f32x4.mul (local.get $x) (local.get $e)))

  ;; The derivative, from the function's value; of SILU from its argument.
  (func $derivative (param $kind i32) (param $y v128) (result v128)
    (local $one v128) (local $s v128)
    (local.set $one (v128.const f32x4 1 1 1 1))
    (if (i32.eqz (local.get $kind)) (then (return (local.get $one))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then
      (return (f32x4.sub (local.get $one) (f32x4.mul (local.get $y) (local.get $y))))))
    (local.set $s (f32x4.gt (local.get $y) (v128.const f32x4 0 0 0 0)))
    (if (i32.eq (local.get $kind) (i32.const 2)) (then (return (v128.and (local.get $one) (local.get $s)))))
    (if (i32.eq (local.get $kind) (i32.const 3)) (then (return
      (v128.bitselect (local.get $one) (v128.const f32x4 0.01 0.01 0.01 0.01) (local.get $s)))))
    (if (i32.eq (local.get $kind) (i32.const 4)) (then (return
      (v128.bitselect (local.get $one) (f32x4.add (local.get $y) (local.get $one)) (local.get $s)))))
    (if (i32.eq (local.get $kind) (i32.const 5)) (then (return
      (f32x4.sub (local.get $one) (call $exp (f32x4.neg (local.get $y)))))))
    (if (i32.eq (local.get $kind) (i32.const 6)) (then (return
      (f32x4.mul (local.get $y) (f32x4.sub (local.get $one) (local.get $y))))))
    (local.set $s (call $sigmoid_from (local.get $y) (call $exp (f32x4.neg (f32x4.abs (local.get $y))))))
    (f32x4.mul (local.get $s)
      (f32x4.add (local.get $one) (f32x4.mul (local.get $y) (f32x4.sub (local.get $one) (local.get $s))))))

  ;; output = activation(input + bias), `count` numbers of rows of `width`; both are multiples of 4. Without a bias (0)
  ;; none is added.
  (func (export "finish") (param $input i32) (param $output i32) (param $count i32) (param $bias i32) (param $width i32)
      (param $kind i32)
    (local $end i32) (local $b i32) (local $row_end i32) (local $x v128)
    (local.set $end (i32.add (local.get $input) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $row_end (i32.add (local.get $bias) (i32.shl (local.get $width) (i32.const 2))))
    (local.set $b (local.get $bias))
    (loop $left
      (local.set $x (v128.load (local.get $input)))
      (if (local.get $bias) (then
        (local.set $x (f32x4.add (local.get $x) (v128.load (local.get $b))))
        (local.set $b (i32.add (local.get $b) (i32.const 16)))
        (if (i32.eq (local.get $b) (local.get $row_end)) (then (local.set $b (local.get $bias))))))
      (v128.store (local.get $output) (call $activation (local.get $kind) (local.get $x)))
      (local.set $output (i32.add (local.get $output) (i32.const 16)))
      (br_if $left (i32.ne (local.tee $input (i32.add (local.get $input) (i32.const 16))) (local.get $end)))))

  ;; output = input * activation'(saved), or added to it.
  (func (export "slope") (param $input i32) (param $saved i32) (param $output i32) (param $count i32) (param $kind i32)
      (param $accumulate i32)
    (local $end i32) (local $x v128)
    (local.set $end (i32.add (local.get $input) (i32.shl (local.get $count) (i32.const 2))))
    (loop $left
      (local.set $x (f32x4.mul (v128.load (local.get $input))
        (call $derivative (local.get $kind) (v128.load (local.get $saved)))))
      (if (local.get $accumulate) (then (local.set $x (f32x4.add (local.get $x) (v128.load (local.get $output))))))
      (v128.store (local.get $output) (local.get $x))
      (local.set $output (i32.add (local.get $output) (i32.const 16)))
      (local.set $saved (i32.add (local.get $saved) (i32.const 16)))
      (br_if $left (i32.ne (local.tee $input (i32.add (local.get $input) (i32.const 16))) (local.get $end)))))

  ;; output[n] = sum over rows of input[row][n], or added to it. `columns` is a multiple of 4.
  (func (export "add_rows") (param $input i32) (param $rows i32) (param $columns i32) (param $output i32)
    (param $accumulate i32)
    (local $p i32) (local $k i32) (local $column i32) (local $x v128)
    (loop $columns_left
      (local.set $x (if (result v128) (local.get $accumulate) (then (v128.load (local.get $output)))
        (else (v128.const f32x4 0 0 0 0))))
      (local.set $p (local.get $input))
      (local.set $k (local.get $rows))
      (loop $rows_left
        (local.set $x (f32x4.add (local.get $x) (v128.load (local.get $p))))
        (local.set $p (i32.add (local.get $p) (i32.shl (local.get $columns) (i32.const 2))))
        (br_if $rows_left (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
      (v128.store (local.get $output) (local.get $x))
      (local.set $output (i32.add (local.get $output) (i32.const 16)))
      (local.set $input (i32.add (local.get $input) (i32.const 16)))
      (br_if $columns_left (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 4)))
        (local.get $columns)))))

  ;; --- Likelihood.

  ;; The chunks of a row of `columns` logits, of which `width` are no padding: value[chunk] = sum of softplus(l) - l x;
  ;; gradient = scale (sigmoid(l) - x).
  (func (export "bernoulli") (param $logits i32) (param $image i32) (param $columns i32) (param $width i32)
    (param $scale f32)
      (param $value i32) (param $gradient i32)
    (local $column i32) (local $l v128) (local $x v128) (local $e v128) (local $mask v128) (local $sum v128)
    (loop $left
      (local.set $l (v128.load (local.get $logits)))
      (local.set $x (v128.load (local.get $image)))
      (local.set $e (call $exp (f32x4.neg (f32x4.abs (local.get $l)))))
      (local.set $mask (i32x4.lt_u (i32x4.add (i32x4.splat (local.get $column)) (v128.const i32x4 0 1 2 3))
        (i32x4.splat (local.get $width))))
      (if (local.get $gradient) (then
        (v128.store (local.get $gradient) (v128.and (local.get $mask) (f32x4.mul (f32x4.splat (local.get $scale))
          (f32x4.sub (call $sigmoid_from (local.get $l) (local.get $e)) (local.get $x)))))
        (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))))
      (if (local.get $value) (then
        (local.set $sum (f32x4.add (local.get $sum) (v128.and (local.get $mask) (f32x4.sub
          (f32x4.add (f32x4.pmax (local.get $l) (v128.const f32x4 0 0 0 0)) (call $log_one_plus (local.get $e)))
          (f32x4.mul (local.get $l) (local.get $x))))))))
      (local.set $logits (i32.add (local.get $logits) (i32.const 16)))
      (local.set $image (i32.add (local.get $image) (i32.const 16)))
      (local.set $column (i32.add (local.get $column) (i32.const 4)))
      ;; A chunk is 16 numbers, or what is left of the row.
      (if (i32.and (i32.ne (local.get $value) (i32.const 0)) (i32.or
          (i32.eqz (i32.and (local.get $column) (i32.const 15))) (i32.eq (local.get $column) (local.get $columns))))
            (then
        (f32.store (local.get $value) (f32.add
          (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
          (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))
        (local.set $sum (v128.const f32x4 0 0 0 0))
        (local.set $value (i32.add (local.get $value) (i32.const 4)))))
      (br_if $left (i32.ne (local.get $column) (local.get $columns)))))

  ;; --- Optimizer: `count` parameters, a multiple of 4; `rate` is the learning rate times the correction of the first
  ;; --- moment.

  (func (export "adam") (param $gradients i32) (param $parameters i32) (param $first i32) (param $second i32)
    (param $count i32)
      (param $clip f32) (param $decay f32) (param $beta_1 f32) (param $rest_1 f32) (param $beta_2 f32)
        (param $rest_2 f32)
      (param $rate f32) (param $correction f32) (param $epsilon f32)
    (local $end i32) (local $g v128) (local $m v128) (local $v v128) (local $p v128)
    (local.set $end (i32.add (local.get $gradients) (i32.shl (local.get $count) (i32.const 2))))
    (loop $left
      (local.set $p (v128.load (local.get $parameters)))
      (local.set $g (f32x4.add (f32x4.mul (f32x4.splat (local.get $clip)) (v128.load (local.get $gradients)))
        (f32x4.mul (f32x4.splat (local.get $decay)) (local.get $p))))
      (local.set $m (f32x4.add (f32x4.mul (f32x4.splat (local.get $beta_1)) (v128.load (local.get $first)))
        (f32x4.mul (f32x4.splat (local.get $rest_1)) (local.get $g))))
      (local.set $v (f32x4.add (f32x4.mul (f32x4.splat (local.get $beta_2)) (v128.load (local.get $second)))
        (f32x4.mul (f32x4.mul (f32x4.splat (local.get $rest_2)) (local.get $g)) (local.get $g))))
      (v128.store (local.get $first) (local.get $m))
      (v128.store (local.get $second) (local.get $v))
      (v128.store (local.get $parameters) (f32x4.sub (local.get $p)
        (f32x4.div (f32x4.mul (f32x4.splat (local.get $rate)) (local.get $m))
          (f32x4.add (f32x4.sqrt (f32x4.mul (local.get $v) (f32x4.splat (local.get $correction))))
            (f32x4.splat (local.get $epsilon))))))
      (local.set $parameters (i32.add (local.get $parameters) (i32.const 16)))
      (local.set $first (i32.add (local.get $first) (i32.const 16)))
      (local.set $second (i32.add (local.get $second) (i32.const 16)))
      (br_if $left (i32.ne (local.tee $gradients (i32.add (local.get $gradients) (i32.const 16))) (local.get $end)))))

  ;; --- Random numbers: Philox4x32-10, the integers of shaders/shared/philox.wgsl. The four words go to bytes 0 to 15.

  (func $philox (export "philox") (param $x i32) (param $y i32) (param $z i32) (param $w i32) (param $low i32)
    (param $high i32)
    (local $round i32) (local $a i64) (local $b i64)
    (loop $rounds
      (local.set $a (i64.mul (i64.extend_i32_u (local.get $x)) (i64.const 0xD2511F53)))
      (local.set $b (i64.mul (i64.extend_i32_u (local.get $z)) (i64.const 0xCD9E8D57)))
      (local.set $x (i32.xor (i32.xor (i32.wrap_i64 (i64.shr_u (local.get $b) (i64.const 32))) (local.get $y))
        (local.get $low)))
      (local.set $y (i32.wrap_i64 (local.get $b)))
      (local.set $z (i32.xor (i32.xor (i32.wrap_i64 (i64.shr_u (local.get $a) (i64.const 32))) (local.get $w))
        (local.get $high)))
      (local.set $w (i32.wrap_i64 (local.get $a)))
      (local.set $low (i32.add (local.get $low) (i32.const 0x9E3779B9)))
      (local.set $high (i32.add (local.get $high) (i32.const 0xBB67AE85)))
      (br_if $rounds (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (i32.const 10))))
    (i32.store (i32.const 0) (local.get $x))
    (i32.store (i32.const 4) (local.get $y))
    (i32.store (i32.const 8) (local.get $z))
    (i32.store (i32.const 12) (local.get $w)))

  ;; `words` words of four grey levels: 1 with probability level / 255, else 0. The first word of the counter counts on.
  (func (export "binarize") (param $from i32) (param $to i32) (param $words i32)
      (param $x i32) (param $y i32) (param $z i32) (param $w i32) (param $low i32) (param $high i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $from) (i32.shl (local.get $words) (i32.const 2))))
    (loop $left
      (call $philox (local.get $x) (local.get $y) (local.get $z) (local.get $w) (local.get $low) (local.get $high))
      (v128.store (local.get $to) (v128.and (v128.const f32x4 1 1 1 1) (i32x4.lt_u
        (i32x4.mul (i32x4.shr_u (v128.load (i32.const 0)) (i32.const 8)) (v128.const i32x4 255 255 255 255))
        ;; Each level as the highest byte of a lane.
        (i8x16.shuffle 16 16 16 0 16 16 16 1 16 16 16 2 16 16 16 3
          (v128.load32_zero (local.get $from)) (v128.const i32x4 0 0 0 0)))))
      (local.set $to (i32.add (local.get $to) (i32.const 16)))
      (local.set $x (i32.add (local.get $x) (i32.const 1)))
      (br_if $left (i32.ne (local.tee $from (i32.add (local.get $from) (i32.const 4))) (local.get $end))))))
