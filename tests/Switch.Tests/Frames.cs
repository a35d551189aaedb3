namespace InterGuest.Switch.Tests;

/// <summary>Frames that cannot be taken for each other.</summary>
internal static class Frames
{
    /// <summary>Sizes from the smallest to the largest frame, with those around borders of buffers and counters.</summary>
    public static readonly IReadOnlyList<int> Sizes =
    [
        14, 15, 16, 17, 59, 60, 61, 63, 64, 65, 127, 128, 129, 1023, 1499, 1500, 1514, 1518, 2035, 2036, 2037, 2048,
        4084, 4096, 9000, 9014, 16384, 32767, 32768, 65534, 65535, 65536, 65549, 65557,
    ];

    /// <summary>The frame number <paramref name="number"/>, which begins with its number.</summary>
    public static byte[] Numbered(int number, int size)
    {
        byte[] frame = new byte[size];
        new Random(number * 7919 + size).NextBytes(frame);
        BitConverter.GetBytes(number).CopyTo(frame, 0);
        return frame;
    }

    public static int NumberOf(byte[] frame) => BitConverter.ToInt32(frame);
}
