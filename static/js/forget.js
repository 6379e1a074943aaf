// After signing out: what this browser saw last is forgotten too.
try {
  localStorage.removeItem("viewed");
} catch {}
