namespace InterGuest.Virtio.Native;

/// <summary>The terminal at standard input, without echo, lines and signals of its own, until this is disposed.</summary>
public sealed unsafe class RawTerminal : IDisposable
{
    private const int StandardInput = 0, SettingsBytes = 256, Now = 0;

    private readonly byte[] _before = new byte[SettingsBytes];

    private RawTerminal()
    {
    }

    /// <summary>Makes it raw.</summary>
    /// <returns>Null if there is no terminal.</returns>
    public static RawTerminal? TryEnter()
    {
        var terminal = new RawTerminal();
        byte* raw = stackalloc byte[SettingsBytes]; // struct termios is smaller on every processor
        fixed (byte* before = terminal._before)
        {
            if (Libc.tcgetattr(StandardInput, before) != 0)
                return null;
            Buffer.MemoryCopy(before, raw, SettingsBytes, SettingsBytes);
        }
        Libc.cfmakeraw(raw);
        return Libc.tcsetattr(StandardInput, Now, raw) == 0 ? terminal : null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        fixed (byte* before = _before)
            _ = Libc.tcsetattr(StandardInput, Now, before);
    }
}
