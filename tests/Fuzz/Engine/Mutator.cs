namespace InterGuest.Fuzz.Engine;

/// <summary>Makes inputs: new ones, and others out of those that were worth keeping.</summary>
internal sealed class Mutator(Random random)
{
    /// <summary>The longest input.</summary>
    internal const int MaxBytes = 4096;
    private static readonly byte[] Borders = [0, 1, 2, 3, 4, 7, 8, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];

    /// <summary>The next input, given those kept so far.</summary>
    public byte[] Next(List<byte[]> kept)
    {
        if (kept.Count == 0 || random.Next(8) == 0)
            return Fresh();
        byte[] bytes = [.. kept[random.Next(kept.Count)]];
        for (int changes = 1 << random.Next(5); changes > 0; changes--)
            bytes = Change(bytes, kept);
        return bytes.Length <= MaxBytes ? bytes : bytes[..MaxBytes];
    }

    private byte[] Fresh()
    {
        byte[] bytes = new byte[16 << random.Next(7)];
        random.NextBytes(bytes);
        return bytes;
    }

    private byte[] Change(byte[] bytes, List<byte[]> kept)
    {
        if (bytes.Length == 0)
            return Fresh();
        int at = random.Next(bytes.Length);
        int count = Math.Min(1 << random.Next(7), bytes.Length - at);
        switch (random.Next(7))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1:
                bytes[at] = Borders[random.Next(Borders.Length)];
                return bytes;
            case 2:
                bytes[at] += (byte)random.Next(-8, 9);
                return bytes;
            case 3:
                random.NextBytes(bytes.AsSpan(at, count));
                return bytes;
            case 4:
                return [.. bytes[..at], .. bytes[(at + count)..]];
            case 5:
                return [.. bytes[..at], .. bytes[at..(at + count)], .. bytes[at..]];
            default:
                byte[] other = kept[random.Next(kept.Count)];
                return [.. bytes[..at], .. other[Math.Min(at, other.Length)..]];
        }
    }
}
