RSpec.describe 'sample' do
  it('first') {}
  it('second') do
    File.write(ENV['REACHED'], '')
    sleep 60
    File.write(ENV['FINISHED'], '')
  end
end
