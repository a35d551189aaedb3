using System.Buffers.Binary;

namespace InterGuest.Fuzz.Engine;

/// <summary>
/// The bytes of one case, taken as choices: the same bytes make the same choices. Behind their end every choice is the
/// first one, and <see cref="Chance"/> says no, so that every string of bytes is a case and short ones are simple.
/// </summary>
public sealed class Input(byte[] bytes)
{
    private static readonly ulong[] Borders =
        [0, 1, 2, 3, 7, 8, 12, 15, 16, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536, 1UL << 31, uint.MaxValue, 1UL << 32, 1UL << 63, ulong.MaxValue];

    private int _at;

    /// <summary>Whether all bytes are used up.</summary>
    public bool IsEmpty => _at >= bytes.Length;

    /// <summary>The next byte.</summary>
    public byte Byte() => _at < bytes.Length ? bytes[_at++] : (byte)0;

    /// <summary>A number from 0 to <paramref name="count"/> - 1.</summary>
    public int Below(int count) => count <= 1 ? 0 : (int)(Number(count <= 256 ? 1 : count <= 65536 ? 2 : 4) % (uint)count);

    /// <summary>A number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    /// <summary>Yes, in so many of 100 cases.</summary>
    public bool Chance(int percent) => Byte() * 100 >= (100 - percent) * 256;

    /// <summary>One of several.</summary>
    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    /// <summary>Any 16 bits.</summary>
    public ushort U16() => (ushort)Number(2);

    /// <summary>Any 32 bits, often near a border.</summary>
    public uint U32() => (uint)U64();

    /// <summary>Any 64 bits, often near a border.</summary>
    public ulong U64() => Below(4) switch
    {
        0 => Byte(),
        1 => Number(4),
        2 => Borders[Below(Borders.Length)] + (ulong)(sbyte)Byte(),
        _ => Number(8),
    };

    /// <summary>Bytes that cannot be taken for others, from one choice.</summary>
    public byte[] Pattern(int length)
    {
        byte[] pattern = new byte[length];
        new Random(U16()).NextBytes(pattern);
        return pattern;
    }

    private ulong Number(int size)
    {
        Span<byte> taken = stackalloc byte[8];
        for (int i = 0; i < size; i++)
            taken[i] = Byte();
        return BinaryPrimitives.ReadUInt64LittleEndian(taken);
    }
}
