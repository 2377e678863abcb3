#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pod_utils_fuzz::answers::answers(data));
