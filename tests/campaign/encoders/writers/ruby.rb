# Writes each secret with Ruby's standard library.
#
# ruby.rb SECRETS DIRECTORY: files `ruby-WRITER__SECRET.READER`.
require "base64"
require "cgi"
require "csv"
require "erb"
require "json"
require "pp"
require "shellwords"
require "uri"
require "yaml"

secrets = JSON.parse(File.read(ARGV[0], encoding: "UTF-8"))
secrets.each do |name, secret|
  write = lambda { |writer, reader, content| File.binwrite("#{ARGV[1]}/ruby-#{writer}__#{name}.#{reader}", content) }
  data = { "token" => secret, "list" => ["x", secret], "text" => "a prefix of some length #{secret} b" }
  write["json", "json", JSON.generate(data)]
  write["json-ascii", "json", JSON.generate(data, ascii_only: true, script_safe: true)]
  write["json-pretty", "json", JSON.pretty_generate({ "inner" => JSON.generate(data) })]
  write["inspect", "ruby", data.inspect]
  write["dump", "ruby", secret.dump]
  write["pp", "ruby", PP.pp(data, +"", 30)]
  write["psych", "yaml", YAML.dump(data)]
  write["psych-narrow", "yaml", YAML.dump(data, line_width: 20)]
  write["cgi", "form", "a=1&token=" + CGI.escape(secret)]
  write["cgi-html", "html", "<p title=\"#{CGI.escapeHTML(secret)}\">x</p>"]
  write["form", "form", URI.encode_www_form("a" => 1, "token" => secret)]
  write["component", "form", URI.encode_www_form_component(secret)]
  write["erb-url", "url", ERB::Util.url_encode(secret)]
  write["erb-html", "html", "<p>#{ERB::Util.html_escape(secret)}</p>"]
  write["base64", "base64", Base64.encode64("some text in front " + secret)]
  write["base64-strict", "base64", Base64.strict_encode64(secret)]
  write["base64-url", "base64", Base64.urlsafe_encode64("ab" + secret, padding: false)]
  write["hex", "hex", secret.unpack1("H*")]
  write["bytes", "numbers", secret.bytes.inspect]
  write["shellwords", "shell", "login " + Shellwords.escape(secret)]
  write["csv", "csv", CSV.generate_line(["a", secret, "b"])]
  write["quoted-printable", "quoted-printable", [secret].pack("M")]
end
