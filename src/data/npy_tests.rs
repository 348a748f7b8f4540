//! Tests of [`super`]: headers, values of every type, and every error message.

use super::*;

/// The bytes of a file with this array.
pub(in crate::data) fn array(descr: &str, fortran: bool, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    [encoded(descr, fortran, &sizes), values.to_vec()].concat()
}

fn read<T>(bytes: &[u8], values: impl Fn(&Header, &Path, &mut dyn Read) -> Result<T>) -> Result<T> {
    let (path, mut reader) = (Path::new("here.npy"), bytes);
    Header::read(path, &mut reader).and_then(|header| values(&header, path, &mut reader))
}

#[test]
fn headers_of_numpy_are_read() {
    let text = "{'descr': '>f8', 'fortran_order': True, 'shape': (3,), }   \n";
    let header = Header { kind: 'f', size: 8, big_endian: true, fortran: true, shape: vec![3] };
    assert_eq!(Header::parse(text), Some(header));
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }";
    assert_eq!(Header::parse(text).unwrap().shape, [2, 3, 4]);
    let single = Header::parse("{'descr': '<i8', 'fortran_order': False, 'shape': (), }");
    assert!(single.unwrap().shape.is_empty());
    for wrong in
        ["", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "{'descr': '<f4'}"]
    {
        assert_eq!(Header::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn values_of_every_type_become_bytes() {
    let halves = [0_u16, 0x3c00, 0x3800, 0x0001];
    let little = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
    for (descr, values, expected) in [
        ("|u1", vec![0, 7, 200, 255], [0, 7, 200, 255]),
        ("|b1", vec![0, 1, 1, 0], [0, 255, 255, 0]),
        ("<f8", little(&[0.0, 1.0, 0.5, 1.0 + 1e-9]), [0, 255, 128, 255]),
        ("<i8", [7_i64, 0, 255, 1].iter().flat_map(|v| v.to_le_bytes()).collect(), [7, 0, 255, 1]),
        (">u2", [7_u16, 0, 255, 1].iter().flat_map(|v| v.to_be_bytes()).collect(), [7, 0, 255, 1]),
        (">f4", [0_f32, 1.0, 0.25, 1e-9].iter().flat_map(|v| v.to_be_bytes()).collect(), [0, 255, 64, 0]),
        ("<f2", halves.iter().flat_map(|v| v.to_le_bytes()).collect(), [0, 255, 128, 0]),
    ] {
        let bytes = array(descr, false, &[1, 2, 2], &values);
        assert_eq!(read(&bytes, Header::pixels).unwrap(), expected, "{descr}");
    }
    let fortran = array("|u1", true, &[2, 3], &[1, 4, 2, 5, 3, 6]);
    assert_eq!(read(&fortran, Header::pixels).unwrap(), [1, 2, 3, 4, 5, 6]);
    let labels = array(">i4", false, &[2], &[0, 0, 1, 2, 0, 0, 0, 9]);
    assert_eq!(read(&labels, Header::labels).unwrap(), Some(vec![258, 9]));
    let floats = array("<f8", false, &[4], &little(&[3.0, 0.0, 1.0, 2.0]));
    assert_eq!(read(&floats, Header::labels).unwrap(), Some(vec![3, 0, 1, 2]));
    let floats = array("<f8", false, &[1], &little(&[0.5]));
    assert_eq!(read(&floats, Header::labels).unwrap(), None);
}

#[test]
fn half_floats() {
    for (bits, value) in
        [(0x3c00, 1.0), (0x3555, 0.333_251_953_125), (0xc000, -2.0), (0x0400, 2_f64.powi(-14))]
    {
        assert_eq!(half(bits), value);
    }
    assert!(half(0x7c00).is_infinite() && half(0x7c01).is_nan());
}

#[test]
fn what_cannot_be_used_is_named() {
    let two = 2_f32.to_le_bytes();
    for (bytes, expected) in [
        (
            array("<f4", false, &[1, 1, 1], &two),
            "value number 0 is 2; pixels given as floats are from 0 to 1",
        ),
        (array("<f4", false, &[1, 1, 1], &f32::NAN.to_le_bytes()), "value number 0 is NaN"),
        (array("<c8", false, &[1], &[0; 8]), "pixels cannot be read from an array [1] of the type 'c8'"),
        (array("<i2", false, &[1], &[255; 2]), "value number 0 is -1; pixels given as integers"),
        (array("|u1", false, &[3], &[0; 2]), "should be 3 bytes long, 2 bytes were found"),
        (array("|u1", false, &[1 << 40, 1 << 40], &[]), "held in memory"),
        (b"something else".to_vec(), "this is not an array of NumPy"),
        (MAGIC.to_vec(), "ends early"),
    ] {
        let problem = read(&bytes, Header::pixels).unwrap_err().to_string();
        assert!(problem.contains("here.npy") && problem.contains(expected), "{problem}");
    }
    let negative = array("<i8", false, &[1], &(-1_i64).to_le_bytes());
    assert!(read(&negative, Header::labels).unwrap_err().to_string().contains("a label is -1, negative"));
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.npy");
    write_npy(&path, &[2, 2], &[0.0_f32, 1.0, 0.5, 0.25]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!((bytes.len() - 16) % 64, 0);
    let mut reader = &bytes[..];
    assert_eq!(Header::read(&path, &mut reader).unwrap().to_string(), "[2, 2] of floats of 4 bytes");
    assert_eq!(read(&bytes, Header::pixels).unwrap(), [0, 255, 128, 64]);
}
