"""What the lessons of both frameworks share: report, pictures, a large scene. No framework."""
