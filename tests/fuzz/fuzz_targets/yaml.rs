#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pod_utils_fuzz::yaml::yaml(data));
