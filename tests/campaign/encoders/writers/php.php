<?php
// Writes each secret with PHP's standard library.
//
// php.php SECRETS DIRECTORY: files `php-WRITER__SECRET.READER`.
$secrets = json_decode(file_get_contents($argv[1]), true);
foreach ($secrets as $name => $secret) {
    $write = fn ($writer, $reader, $content) => file_put_contents("$argv[2]/php-{$writer}__$name.$reader", $content);
    $data = ["token" => $secret, "list" => ["x", $secret], "text" => "a prefix $secret suffix"];
    $write("json", "json", json_encode($data));
    $write("json-plain", "json", json_encode($data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRETTY_PRINT));
    $write("json-hex", "json", json_encode($data, JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_HEX_QUOT));
    $write("json-twice", "json", json_encode(["inner" => json_encode($data)]));
    $write("var-export", "php", var_export($data, true));
    $write("print-r", "text", print_r($data, true));
    $write("serialize", "text", serialize($data));
    $write("urlencode", "form", "a=1&token=" . urlencode($secret));
    $write("rawurlencode", "url", rawurlencode($secret));
    $write("query", "form", http_build_query(["a" => 1, "token" => $secret]));
    $write("html", "html", "<p title=\"" . htmlspecialchars($secret, ENT_QUOTES) . "\">" . htmlspecialchars($secret, ENT_NOQUOTES) . "</p>");
    $write("entities", "html", "<p>" . htmlentities($secret, ENT_QUOTES | ENT_HTML5) . "</p>");
    $write("base64", "base64", base64_encode("user:$secret"));
    $write("base64-chunks", "base64", chunk_split(base64_encode("some text in front $secret"), 76));
    $write("bin2hex", "hex", bin2hex($secret));
    $write("addslashes", "escaped", addslashes($secret));
    $write("shell", "shell", "login " . escapeshellarg($secret));
    $write("quoted-printable", "quoted-printable", quoted_printable_encode($secret));
    $write("wordwrap", "folded", wordwrap($secret, 20, "\n", true));
    $write("chunks", "folded", chunk_split($secret, 20, "\r\n    "));
}
