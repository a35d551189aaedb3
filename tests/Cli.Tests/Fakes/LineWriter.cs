using System.Text;
using System.Threading.Channels;

namespace InterGuest.Cli.Tests.Fakes;

/// <summary>Collects text, and lets a test wait for its next line.</summary>
internal sealed class LineWriter : TextWriter
{
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _text = new();
    private int _lineStart;

    public LineWriter() => NewLine = "\n";

    public override Encoding Encoding => Encoding.UTF8;

    public async Task<string> NextLineAsync() =>
        await _lines.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    // All others of a TextWriter come here.
    public override void Write(char value)
    {
        _text.Append(value);
        if (value != '\n')
            return;
        _lines.Writer.TryWrite(_text.ToString(_lineStart, _text.Length - 1 - _lineStart));
        _lineStart = _text.Length;
    }

    public override string ToString() => _text.ToString();
}
